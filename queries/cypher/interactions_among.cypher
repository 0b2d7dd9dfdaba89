// All interactions among the features with the ids $ids, without those out of constant features.
// :param run => '0123456789ab'
// :param ids => ['0123456789ab/ln1.0/1', '0123456789ab/output/5']
MATCH (:Run {id: $run, status: 'complete'})
UNWIND $ids AS wanted
MATCH (s:Feature {id: wanted})-[r:INTERACTS]->(t:Feature)
WHERE s.run = $run AND s.role <> 'constant' AND t.id IN $ids
RETURN s.id AS source, t.id AS target
ORDER BY source, target
