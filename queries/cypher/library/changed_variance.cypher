// Variance in two runs
// Which features vary more, or less, in another run?
//
// Features are matched by layer and index, which means something where both runs have the same
// bases. part and other_part are parts of the layer's variance; change is other_part minus part.
//
// $other (run, required): the other run
// $k (count): how many features
// :param run => '0123456789ab'
// :param other => 'ba9876543210'
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   feature     change    part  other_part  label  other_label
//   ln2.0/4      0.324  0.1425      0.4665  k=15
//   unembed/1  -0.2109  0.2915     0.08063  k=15
//   unembed/2   0.1947  0.2523      0.4471  k=15
MATCH (:Run {id: $run, status: 'complete'})
MATCH (:Run {id: $other, status: 'complete'})
MATCH (f:Feature {run: $run})
WHERE f.variance IS NOT NULL
MATCH (g:Feature {id: $other + '/' + f.layer + '/' + toString(f.index)})
WHERE g.variance IS NOT NULL
WITH f.layer AS layer, sum(f.variance) AS total, sum(g.variance) AS other_total,
     collect({place: f.layer + '/' + toString(f.index), label: f.label, other_label: g.label,
              here: f.variance, there: g.variance}) AS members
WHERE total > 0 AND other_total > 0
UNWIND members AS one
WITH one.place AS feature, one.label AS label, one.other_label AS other_label,
     one.here / total AS part, one.there / other_total AS other_part
RETURN feature, other_part - part AS change, part, other_part, label, other_label
ORDER BY abs(change) DESC, feature
LIMIT $k
