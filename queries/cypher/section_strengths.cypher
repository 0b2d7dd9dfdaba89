// All strengths out of a layer, a row per source, without the constant feature, errors and outputs.
// :param run => '0123456789ab'
// :param layer => 0
MATCH (:Run {id: $run, status: 'complete'})
MATCH (s:Feature {run: $run, layer_index: $layer})
MATCH (s)-[r:INTERACTS]->(t:Feature)
WHERE s.role <> 'error' AND NOT t.role IN ['error', 'output']
RETURN s.index AS source, collect(t.index) AS targets, collect(r.strength) AS strengths
