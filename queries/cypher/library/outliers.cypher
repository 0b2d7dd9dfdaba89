// Importance against strength
// Which features are more, or less, important than the strength of their interactions says?
//
// importance_part and strength_part are the feature's parts of its layer's importance and of the
// strength out of its layer. ratio is the first over the second: far above 1 is a feature whose
// influence is not seen in these interactions, far below 1 one whose strength goes to targets that
// matter little. Features with less than $min_part of both are left out.
//
// $min_part (share): the least part, of importance or of strength
// $k (count): how many features
// :param run => '0123456789ab'
// :param min_part => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   feature  label   ratio  importance_part  strength_part
//   ln1.0/1  k=15    4.041            0.763         0.1888
//   ln1.0/3  k=15   0.2643          0.04879         0.1846
//   ln1.0/7  k=56   0.2886          0.01232         0.0427
MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {run: $run})
WHERE f.importance > 0
MATCH (f)-[r:INTERACTS]->(:Feature)
WITH f, sum(r.strength) AS strength
WITH f.layer_index AS layer_index, sum(strength) AS total_strength,
     sum(f.importance) AS total_importance,
     collect({feature: f.id, label: f.label, strength: strength,
              importance: f.importance}) AS members
UNWIND members AS one
WITH one.feature AS feature, one.label AS label,
     one.importance / total_importance AS importance_part,
     one.strength / total_strength AS strength_part
WHERE importance_part >= $min_part OR strength_part >= $min_part
RETURN feature, label, importance_part / strength_part AS ratio, importance_part, strength_part
ORDER BY abs(log(importance_part / strength_part)) DESC, feature
LIMIT $k
