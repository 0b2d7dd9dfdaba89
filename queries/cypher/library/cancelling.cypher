// Effects that cancel
// Which strong interactions push their target up as often as down?
//
// kept is effect² / strength: near 0 where the signed mean says nothing about a strong interaction,
// at most 1 where the source always pushes the same way with the same force. In a linear
// section all effects cancel, because features have mean 0: look at another $layer.
//
// $layer (layer): only targets in this layer; null for all
// $min_share (share): the least share of the target
// $min_importance (share): the least importance of a target, relative to its layer's largest
// $k (count): how many interactions
// :param run => '0123456789ab'
// :param layer => null
// :param min_share => 0.05
// :param min_importance => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph (layer = ln2.0):
//   source    target         kept    effect  strength    share  source_label  target_label
//   ln1.0/11  ln2.0/11  1.822e-06  -0.01295     92.04  0.05734  k=21          k=15
//   ln1.0/12  ln2.0/13  3.168e-06   0.02031     130.2   0.5541  k=44          k=44
//   ln1.0/4   ln2.0/2   3.767e-06  -0.07811      1620    0.445  k=22          k=22
MATCH (:Run {id: $run, status: 'complete'})
MATCH (m:Feature {run: $run})
WITH m.layer_index AS layer_index, max(m.importance) AS most
MATCH (t:Feature {run: $run, layer_index: layer_index})
WHERE ($layer IS NULL OR t.layer = $layer)
  AND (most IS NULL OR t.importance >= $min_importance * most)
MATCH (s:Feature)-[r:INTERACTS]->(t)
WHERE r.share >= $min_share
RETURN s.id AS source, t.id AS target, r.effect * r.effect / r.strength AS kept,
       r.effect AS effect, r.strength AS strength, r.share AS share, s.label AS source_label,
       t.label AS target_label
ORDER BY kept, source, target
LIMIT $k
