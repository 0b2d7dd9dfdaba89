// Bottlenecks
// Through which single features does most of what flows between layers have to pass?
//
// part_in is the part of all strength into the feature's layer that flows into the feature,
// part_out the part of all strength out of the layer that flows out of it, the constant left out.
// The smaller of the two, through, is what passes; the first and the last layer have none.
//
// $k (count): how many features
// :param run => '0123456789ab'
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   feature    label  through  part_in  part_out
//   unembed/1  k=15    0.2515   0.2515    0.2915
//   ln2.0/1    k=15    0.2241   0.2457    0.2241
//   unembed/2  k=15    0.1554   0.1554    0.2523
MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {run: $run})
WHERE f.role <> 'constant'
OPTIONAL MATCH (f)-[o:INTERACTS]->(:Feature)
WITH f, sum(coalesce(o.strength, 0.0)) AS outwards
OPTIONAL MATCH (f)<-[i:INTERACTS]-(:Feature)
WITH f, outwards, sum(coalesce(i.strength, 0.0)) AS inwards
WITH f.layer_index AS layer_index, sum(outwards) AS total_out, sum(inwards) AS total_in,
     collect({feature: f.id, label: f.label, outwards: outwards, inwards: inwards}) AS members
WHERE total_out > 0 AND total_in > 0
UNWIND members AS one
WITH one.feature AS feature, one.label AS label, one.inwards / total_in AS part_in,
     one.outwards / total_out AS part_out
RETURN feature, label, CASE WHEN part_in < part_out THEN part_in ELSE part_out END AS through,
       part_in, part_out
ORDER BY through DESC, feature
LIMIT $k
