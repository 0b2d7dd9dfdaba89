// Matches of a feature
// Which features of other runs are like a feature?
//
// correlation is that of the values of both on the data of the run called data. rank counts the
// features of the other run from the one that is most like this one, other_rank those of this run
// from the one most like the counterpart: 1 and 1 are most like each other.
// Needs matched runs: lib-graph match RUN OTHER, then lib-graph ingest RUN
//
// $feature (feature, required): the feature
// $min_correlation (share): the least correlation, of either sign
// $k (count): how many counterparts
// :param run => '0123456789ab'
// :param feature => '0123456789ab/ln2.0/1'
// :param min_correlation => 0.0
// :param k => 10
//
// Example answer, of the network that comes with lib-graph (feature = ln2.0/1 in the basis lib,
// matched with pca and neuron):
//   counterpart           run_name                 correlation  rank  other_rank  label  importance
//   fa62f4ccf372/ln2.0/1  modular-addition-pca           0.995     1           1  k=15        35.95
//   c7f09c48f9d2/ln2.0/93 modular-addition-neuron       0.7905     1           1  k=15        1.838
//   c7f09c48f9d2/ln2.0/4  modular-addition-neuron       0.7599     2           1  k=15        2.224
MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {id: $feature})-[m:MATCHES]-(g:Feature)
WHERE abs(m.correlation) >= $min_correlation
MATCH (there:Run {id: g.run, status: 'complete'})
WITH there, g, m, startNode(m).run AS data
RETURN g.id AS counterpart, there.name AS run_name, m.correlation AS correlation,
       CASE WHEN data = $run THEN m.rank ELSE m.other_rank END AS rank,
       CASE WHEN data = $run THEN m.other_rank ELSE m.rank END AS other_rank,
       g.label AS label, g.importance AS importance, data
ORDER BY abs(correlation) DESC, counterpart, data
LIMIT $k
