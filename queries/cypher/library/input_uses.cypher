// What one input uses
// Which interactions does one input use much more than the average does?
//
// Sorted by share minus base_share, the share on average. factor is the strength on this input over
// that of the run's base, null where the base has none.
// Needs a run of a single input, and its base, in the store: lib-graph runs
//
// $min_share (share): the least share on this input
// $min_importance (share): the least importance of a target, relative to its layer's largest
// $k (count): how many interactions
// :param run => '0123456789ab'
// :param min_share => 0.01
// :param min_importance => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   source   target     factor   share  base_share  strength  source_label  target_label
//   ln1.0/1  ln2.0/5      1.07   0.881      0.1825     269.8
//   ln2.0/4  unembed/4   4.978  0.8193      0.1843      5122
//   ln2.0/4  unembed/2   3.419  0.8623      0.2304      6715
MATCH (here:Run {id: $run, status: 'complete'})
MATCH (base:Run {id: here.base, status: 'complete'})
MATCH (m:Feature {run: $run})
WITH base, m.layer_index AS layer_index, max(m.importance) AS most
MATCH (t:Feature {run: $run, layer_index: layer_index})
WHERE most IS NULL OR t.importance >= $min_importance * most
MATCH (s:Feature)-[r:INTERACTS]->(t)
WHERE r.share >= $min_share
OPTIONAL MATCH (:Feature {id: base.id + '/' + s.layer + '/' + toString(s.index)})
  -[a:INTERACTS]->(:Feature {id: base.id + '/' + t.layer + '/' + toString(t.index)})
RETURN s.id AS source, t.id AS target, r.strength / a.strength AS factor, r.share AS share,
       coalesce(a.share, 0.0) AS base_share, r.strength AS strength,
       s.label AS source_label, t.label AS target_label
ORDER BY share - base_share DESC, source, target
LIMIT $k
