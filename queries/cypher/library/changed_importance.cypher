// Importance in two runs
// Which features gain or lose most importance between this run and another?
//
// Features are matched by layer and index, which means something where both runs have the same
// bases. part and other_part are parts of the layer's importance; change is other_part minus part.
//
// $other (run, required): the other run
// $k (count): how many features
// :param run => '0123456789ab'
// :param other => 'ba9876543210'
// :param k => 10
MATCH (:Run {id: $run, status: 'complete'})
MATCH (:Run {id: $other, status: 'complete'})
MATCH (f:Feature {run: $run})
WHERE f.importance IS NOT NULL
MATCH (g:Feature {id: $other + '/' + f.layer + '/' + toString(f.index)})
WHERE g.importance IS NOT NULL
WITH f.layer AS layer, sum(f.importance) AS total, sum(g.importance) AS other_total,
     collect({place: f.layer + '/' + toString(f.index), label: f.label, other_label: g.label,
              here: f.importance, there: g.importance}) AS members
WHERE total > 0 AND other_total > 0
UNWIND members AS one
WITH one.place AS feature, one.label AS label, one.other_label AS other_label,
     one.here / total AS part, one.there / other_total AS other_part
RETURN feature, other_part - part AS change, part, other_part, label, other_label
ORDER BY abs(change) DESC, feature
LIMIT $k
