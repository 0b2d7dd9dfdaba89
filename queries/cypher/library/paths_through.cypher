// Paths through a feature
// What flows through one feature: from which source, to which target, and how much?
//
// through is the share of the first step times that of the second: the probability that a walk from
// the target backwards takes both. best is the strength of the strongest path from the first layer
// to the last that contains both steps.
//
// $feature (feature, required): the feature in the middle
// $min_importance (share): the least importance of a target, relative to its layer's largest
// $k (count): how many pairs of steps
// :param run => '0123456789ab'
// :param feature => '0123456789ab/ln2.0/1'
// :param min_importance => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph (feature = ln2.0/1):
//   source   feature  target     through    best  source_label  label  target_label
//   ln1.0/2  ln2.0/1  unembed/1   0.3287  0.2148  k=15          k=15   k=15
//   ln1.0/2  ln2.0/1  unembed/2   0.2414  0.1545  k=15          k=15   k=15
//   ln1.0/1  ln2.0/1  unembed/1   0.2179  0.1424  k=15          k=15   k=15
MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {id: $feature})
WHERE f.run = $run
MATCH (s:Feature)-[i:INTERACTS]->(f)
MATCH (m:Feature {run: $run, layer_index: f.layer_index + 1})
WITH f, s, i, max(m.importance) AS most
MATCH (f)-[o:INTERACTS]->(t:Feature)
WHERE most IS NULL OR t.importance >= $min_importance * most
RETURN s.id AS source, f.id AS feature, t.id AS target, i.share * o.share AS through,
       exp(-(s.cost_from_inputs + i.cost + o.cost + t.cost_to_outputs)) AS best,
       s.label AS source_label, f.label AS label, t.label AS target_label
ORDER BY through DESC, source, target
LIMIT $k
