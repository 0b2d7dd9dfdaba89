// What one input ignores
// Which interactions does the average use much more than this input does?
//
// Sorted by base_share, the share on average, minus share. factor is the strength in the run's base
// over that on this input, null where this input has none.
// Needs a run of a single input, and its base, in the store: lib-graph runs
//
// $min_share (share): the least share in the base
// $k (count): how many interactions
// :param run => '0123456789ab'
// :param min_share => 0.01
// :param k => 10
MATCH (here:Run {id: $run, status: 'complete'})
MATCH (base:Run {id: here.base, status: 'complete'})
MATCH (s:Feature {run: base.id})-[a:INTERACTS]->(t:Feature)
WHERE a.share >= $min_share
OPTIONAL MATCH (:Feature {id: $run + '/' + s.layer + '/' + toString(s.index)})
  -[r:INTERACTS]->(:Feature {id: $run + '/' + t.layer + '/' + toString(t.index)})
RETURN $run + '/' + s.layer + '/' + toString(s.index) AS source,
       $run + '/' + t.layer + '/' + toString(t.index) AS target, a.strength / r.strength AS factor,
       coalesce(r.share, 0.0) AS share, a.share AS base_share,
       coalesce(r.strength, 0.0) AS strength, a.strength AS base_strength,
       s.label AS source_label, t.label AS target_label
ORDER BY base_share - share DESC, source, target
LIMIT $k
