// What changes between matched features
// Which interactions differ most between this run and another, between features that are alike?
//
// Both ends have to be most like a feature of the other run, which has to be most like them, with a
// correlation of at least $min_correlation: other_source and other_target. Compared are the
// interactions with a share of at least $min_share here; change is the difference of the shares,
// other minus this, and an interaction that is not there has share 0.
// Needs matched runs: lib-graph match RUN OTHER, then lib-graph ingest RUN
//
// $other (run, required): the other run
// $min_correlation (share): the least correlation of both ends with their matches, of either sign
// $min_share (share): the least share, in this run
// $min_importance (share): the least importance of a target, relative to its layer's largest
// $k (count): how many interactions
// :param run => '0123456789ab'
// :param other => 'ba9876543210'
// :param min_correlation => 0.9
// :param min_share => 0.01
// :param min_importance => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph (in lib and pca, min_correlation = 0.8):
//   source   target     change   share  other_share  other_source          other_target
//   ln1.0/5  ln2.0/3   -0.6589  0.6611     0.002165  fa62f4ccf372/ln1.0/4  fa62f4ccf372/ln2.0/3
//   ln1.0/4  ln2.0/3    0.3988  0.1745       0.5732  fa62f4ccf372/ln1.0/5  fa62f4ccf372/ln2.0/3
//   ln1.0/6  ln2.0/5   -0.3144  0.7607       0.4464  fa62f4ccf372/ln1.0/6  fa62f4ccf372/ln2.0/5
MATCH (:Run {id: $run, status: 'complete'})
MATCH (:Run {id: $other, status: 'complete'})
MATCH (m:Feature {run: $run})
WITH m.layer_index AS layer_index, max(m.importance) AS most
MATCH (t:Feature {run: $run, layer_index: layer_index})-[b:MATCHES]-(v:Feature {run: $other})
WHERE b.rank = 1 AND b.other_rank = 1 AND abs(b.correlation) >= $min_correlation
  AND (most IS NULL OR t.importance >= $min_importance * most)
MATCH (s:Feature)-[r:INTERACTS]->(t)
WHERE r.share >= $min_share
MATCH (s)-[a:MATCHES]-(u:Feature {run: $other})
WHERE a.rank = 1 AND a.other_rank = 1 AND abs(a.correlation) >= $min_correlation
OPTIONAL MATCH (u)-[x:INTERACTS]->(v)
WITH DISTINCT s.id AS source, t.id AS target, u.id AS other_source, v.id AS other_target,
     r.share AS share, coalesce(x.share, 0.0) AS other_share
RETURN source, target, other_share - share AS change, share, other_share, other_source, other_target
ORDER BY abs(change) DESC, source, target, other_source, other_target
LIMIT $k
