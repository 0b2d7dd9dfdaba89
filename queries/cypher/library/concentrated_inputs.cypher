// Concentration of inputs
// Which features are made by few inputs?
//
// effective is exp of the entropy of the shares, Σ share · −ln share: 1 for a single input, n for n
// equal ones. largest is the largest share of a single input.
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
WHERE r.cost IS NOT NULL
WITH t, count(r) AS inputs, max(r.share) AS largest, exp(sum(r.share * r.cost)) AS effective
RETURN t.id AS feature, t.label AS label, inputs, largest, effective
ORDER BY effective, feature
LIMIT $k
