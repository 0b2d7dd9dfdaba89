// Driven by the constant
// Which features depend more on the mean activation and the biases than on anything that varies?
//
// ratio is the strength from the constant feature over that from all others together.
//
// $layer (layer): only targets in this layer; null for all
// $min_importance (share): the least importance of a feature, relative to its layer's largest
// $k (count): how many features
// :param run => '0123456789ab'
// :param layer => null
// :param min_importance => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   feature     label  ratio  from_constant  from_others
//   output/113         35.23          58.59        1.663
//   unembed/10  k=21   2.923           7012         2399
//   unembed/9   k=21   2.391           5207         2177
MATCH (:Run {id: $run, status: 'complete'})
MATCH (m:Feature {run: $run})
WITH m.layer_index AS layer_index, max(m.importance) AS most
MATCH (t:Feature {run: $run, layer_index: layer_index})
WHERE ($layer IS NULL OR t.layer = $layer)
  AND (most IS NULL OR t.importance >= $min_importance * most)
MATCH (t)<-[r:INTERACTS]-(:Feature)
WITH t, sum(r.strength) AS from_others
OPTIONAL MATCH (t)<-[c:CONSTANT]-(:Feature)
WITH t, sum(coalesce(c.strength, 0.0)) AS from_constant, from_others
RETURN t.id AS feature, t.label AS label, from_constant / from_others AS ratio, from_constant,
       from_others
ORDER BY ratio DESC, feature
LIMIT $k
