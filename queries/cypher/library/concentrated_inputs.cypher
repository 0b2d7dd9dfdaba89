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
MATCH (:Run {id: $run, status: 'complete'})
MATCH (m:Feature {run: $run})
WITH m.layer_index AS layer_index, max(m.importance) AS most
MATCH (t:Feature {run: $run, layer_index: layer_index})
WHERE ($layer IS NULL OR t.layer = $layer)
  AND (most IS NULL OR t.importance >= $min_importance * most)
MATCH (t)<-[r:INTERACTS]-(s:Feature)
WHERE r.cost IS NOT NULL
WITH t, count(r) AS inputs, max(r.share) AS largest, exp(sum(r.share * r.cost)) AS effective
RETURN t.id AS feature, t.label AS label, inputs, largest, effective
ORDER BY effective, feature
LIMIT $k
