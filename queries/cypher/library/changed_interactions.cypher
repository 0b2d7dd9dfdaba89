// What changes between two runs
// Which interactions differ most between this run and another?
//
// Features are matched by layer and index, which means something where both runs have the same
// bases (a run of one input and its base, or two builds with the same --bases); for other bases,
// seeds and checkpoints there is matched_interactions. Compared are the interactions with a share
// of at least $min_share in one of the runs; change is the difference of the shares, other minus
// this, and one that is not there has strength and share 0.
//
// $other (run, required): the other run
// $min_share (share): the least share, in either run
// $min_importance (share): the least importance of a target, relative to its layer's largest
// $k (count): how many interactions
// :param run => '0123456789ab'
// :param other => 'ba9876543210'
// :param min_share => 0.01
// :param min_importance => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   source   target      change   share  other_share  strength  other_strength
//   ln1.0/6  ln2.0/5    -0.7273  0.7607      0.03346      1051           10.25
//   ln1.0/1  ln2.0/5     0.6985  0.1825        0.881     252.2           269.8
//   ln2.0/4  unembed/4   0.6349  0.1843       0.8193      1029            5122
MATCH (:Run {id: $run, status: 'complete'})
MATCH (:Run {id: $other, status: 'complete'})
UNWIND [$run, $other] AS one
MATCH (m:Feature {run: one})
WITH one, m.layer_index AS layer_index, max(m.importance) AS most
MATCH (t:Feature {run: one, layer_index: layer_index})
WHERE most IS NULL OR t.importance >= $min_importance * most
MATCH (s:Feature)-[r:INTERACTS]->(t)
WHERE r.share >= $min_share
WITH DISTINCT s.layer + '/' + toString(s.index) AS source,
     t.layer + '/' + toString(t.index) AS target
OPTIONAL MATCH
  (:Feature {id: $run + '/' + source})-[a:INTERACTS]->(:Feature {id: $run + '/' + target})
OPTIONAL MATCH
  (:Feature {id: $other + '/' + source})-[b:INTERACTS]->(:Feature {id: $other + '/' + target})
WITH source, target, coalesce(a.share, 0.0) AS share, coalesce(b.share, 0.0) AS other_share,
     coalesce(a.strength, 0.0) AS strength, coalesce(b.strength, 0.0) AS other_strength
RETURN source, target, other_share - share AS change, share, other_share, strength, other_strength
ORDER BY abs(change) DESC, source, target
LIMIT $k
