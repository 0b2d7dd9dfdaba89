// Driven by the constant
// Which features depend more on the mean activation and the biases than on anything that varies?
//
// ratio is the strength from the constant feature over that from all others together.
//
// $layer (layer): only targets in this layer; null for all
// $k (count): how many features
// :param run => '0123456789ab'
// :param layer => null
// :param k => 10
MATCH (:Run {id: $run, status: 'complete'})
MATCH (t:Feature {run: $run})
WHERE $layer IS NULL OR t.layer = $layer
MATCH (t)<-[r:INTERACTS]-(s:Feature)
WITH t, sum(CASE WHEN s.role = 'constant' THEN r.strength ELSE 0.0 END) AS from_constant,
     sum(CASE WHEN s.role = 'constant' THEN 0.0 ELSE r.strength END) AS from_others
WHERE from_others > 0
RETURN t.id AS feature, t.label AS label, from_constant / from_others AS ratio, from_constant,
       from_others
ORDER BY ratio DESC, feature
LIMIT $k
