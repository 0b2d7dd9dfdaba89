// Features shared by two answers
// Which features drive both of two features?
//
// both is the smaller of the two shares.
//
// $first (feature, required): one feature, an answer of the network for example
// $second (feature, required): another feature of the same layer
// $k (count): how many inputs
// :param run => '0123456789ab'
// :param first => '0123456789ab/output/5'
// :param second => '0123456789ab/output/6'
// :param k => 10
//
// Example answer, of the network that comes with lib-graph (first = output/5, second = output/6):
//   source     label     both  first_share  second_share  first_effect  second_effect
//   unembed/2  k=15    0.3277       0.6401        0.3277    -1.388e-16     -6.939e-17
//   unembed/4  k=22   0.08123      0.09017       0.08123      4.64e-16      4.042e-16
//   unembed/1  k=15   0.07594      0.07594        0.1565     9.021e-17     -1.318e-16
MATCH (:Run {id: $run, status: 'complete'})
MATCH (s:Feature)-[x:INTERACTS]->(a:Feature {id: $first})
WHERE a.run = $run
MATCH (s)-[y:INTERACTS]->(b:Feature {id: $second})
RETURN s.id AS source, s.label AS label,
       CASE WHEN x.share < y.share THEN x.share ELSE y.share END AS both,
       x.share AS first_share, y.share AS second_share, x.effect AS first_effect,
       y.effect AS second_effect
ORDER BY both DESC, source
LIMIT $k
