// Concentration of inputs
// Which features are made by few inputs?
//
// effective is exp of the entropy of the shares, Σ share · −ln share: 1 for a single input, n for n
// equal ones. largest is the largest share of a single input.
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
//   feature  label  inputs  largest  effective
//   ln2.0/5  k=56      108   0.7607      2.178
//   ln2.0/1  k=15      108   0.5743      2.389
//   ln2.0/7  k=18      108   0.6766      2.694
MATCH (:Run {id: $run, status: 'complete'})
MATCH (m:Feature {run: $run})
WITH m.layer_index AS layer_index, max(m.importance) AS most
MATCH (t:Feature {run: $run, layer_index: layer_index})
WHERE ($layer IS NULL OR t.layer = $layer)
  AND (most IS NULL OR t.importance >= $min_importance * most)
MATCH (t)<-[r:INTERACTS]-(s:Feature)
WITH t, count(r) AS inputs, max(r.share) AS largest, exp(sum(r.share * r.cost)) AS effective
RETURN t.id AS feature, t.label AS label, inputs, largest, effective
ORDER BY round(effective, 12), feature
LIMIT $k
