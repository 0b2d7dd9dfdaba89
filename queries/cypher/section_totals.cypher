// What flows out of each layer: how many interactions, and the sum of their strengths.
// :param run => '0123456789ab'
// Those of constant features are left out.
MATCH (:Run {id: $run, status: 'complete'})
MATCH (s:Feature {run: $run})
WHERE s.role <> 'constant'
MATCH (s)-[r:INTERACTS]->(:Feature)
RETURN s.layer_index AS layer, count(r) AS interactions, sum(r.strength) AS strength
ORDER BY layer
