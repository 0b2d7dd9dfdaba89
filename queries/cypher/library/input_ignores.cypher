// What one input ignores
// Which interactions does the average use much more than this input does?
//
// Sorted by base_share, the share on average, minus share. factor is the strength in the run's base
// over that on this input, null where this input has none.
// Needs a run of a single input, and its base, in the store: lib-graph runs
//
// $min_share (share): the least share in the base
// $min_importance (share): the least importance of a target, relative to its layer's largest
// $k (count): how many interactions
// :param run => '0123456789ab'
// :param min_share => 0.01
// :param min_importance => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   source   target   factor    share  base_share  strength  source_label  target_label
//   ln1.0/6  ln2.0/5   102.6  0.03346      0.7607     10.25  k=56          k=56
//   ln1.0/5  ln2.0/3   16.23  0.04811      0.6611     136.8  k=22          k=22
//   ln1.0/7  ln2.0/6   85.44  0.01423      0.6124     9.802  k=56          k=56
MATCH (here:Run {id: $run, status: 'complete'})
MATCH (base:Run {id: here.base, status: 'complete'})
MATCH (m:Feature {run: base.id})
WITH base, m.layer_index AS layer_index, max(m.importance) AS most
MATCH (t:Feature {run: base.id, layer_index: layer_index})
WHERE most IS NULL OR t.importance >= $min_importance * most
MATCH (s:Feature)-[a:INTERACTS]->(t)
WHERE a.share >= $min_share
OPTIONAL MATCH (:Feature {id: $run + '/' + s.layer + '/' + toString(s.index)})
  -[r:INTERACTS]->(:Feature {id: $run + '/' + t.layer + '/' + toString(t.index)})
RETURN $run + '/' + s.layer + '/' + toString(s.index) AS source,
       $run + '/' + t.layer + '/' + toString(t.index) AS target, a.strength / r.strength AS factor,
       coalesce(r.share, 0.0) AS share, a.share AS base_share,
       coalesce(r.strength, 0.0) AS strength, s.label AS source_label, t.label AS target_label
ORDER BY base_share - share DESC, source, target
LIMIT $k
