// Uncertain interactions
// Which strong interactions are known least well from this data?
//
// relative is stderr / strength, the standard error of the mean over the samples. Above 0.5 a few
// samples decide; more data would help. Runs of a single sample have none.
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
// Example answer, of the network that comes with lib-graph:
//   source   target      relative  strength  stderr    share  source_label  target_label
//   ln1.0/3  ln2.0/15     0.04048     6.124  0.2479  0.05326  k=15          k=1
//   ln1.0/3  ln2.0/16     0.03747     7.384  0.2767  0.05249  k=15          k=1
//   ln2.0/9  unembed/11   0.03679       138   5.079   0.1491  k=15          k=21
MATCH (:Run {id: $run, status: 'complete'})
MATCH (m:Feature {run: $run})
WITH m.layer_index AS layer_index, max(m.importance) AS most
MATCH (t:Feature {run: $run, layer_index: layer_index})
WHERE ($layer IS NULL OR t.layer = $layer)
  AND (most IS NULL OR t.importance >= $min_importance * most)
MATCH (s:Feature)-[r:INTERACTS]->(t)
WHERE r.share >= $min_share AND r.stderr IS NOT NULL
RETURN s.id AS source, t.id AS target, r.stderr / r.strength AS relative, r.strength AS strength,
       r.stderr AS stderr, r.share AS share, s.label AS source_label, t.label AS target_label
ORDER BY relative DESC, source, target
LIMIT $k
