// Where labels mix
// Which features are driven by features of another label than their own?
//
// other is the sum of the shares of inputs with another label; only targets and inputs with a label
// count.
//
// $layer (layer): only targets in this layer; null for all
// $min_importance (share): the least importance of a feature, relative to its layer's largest
// $k (count): how many features
// :param run => '0123456789ab'
// :param layer => null
// :param min_importance => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph (layer = ln2.0):
//   feature   label   other       own  importance
//   ln2.0/17  k=36   0.9976  0.002392       56.81
//   ln2.0/18  k=36   0.9973  0.002661       23.75
//   ln2.0/16  k=1    0.8967    0.1033       181.9
MATCH (:Run {id: $run, status: 'complete'})
MATCH (m:Feature {run: $run})
WITH m.layer_index AS layer_index, max(m.importance) AS most
MATCH (t:Feature {run: $run, layer_index: layer_index})
WHERE t.label <> '' AND ($layer IS NULL OR t.layer = $layer)
  AND (most IS NULL OR t.importance >= $min_importance * most)
MATCH (t)<-[r:INTERACTS]-(s:Feature)
WHERE s.label <> ''
WITH t, sum(CASE WHEN s.label <> t.label THEN r.share ELSE 0.0 END) AS other,
     sum(CASE WHEN s.label = t.label THEN r.share ELSE 0.0 END) AS own
RETURN t.id AS feature, t.label AS label, other, own, t.importance AS importance
ORDER BY round(other, 12) DESC, feature
LIMIT $k
