// Redundant pairs
// Which two features of a layer drive the same targets in the same proportions?
//
// similarity is the cosine of the two features' rows of √strength: 1 for equal proportions, 0 for
// no common target. Interactions with a share below $min_share are left out; it is what the search
// costs.
//
// $layer (layer, required): the layer of both features
// $min_share (share): the least share of a target
// $k (count): how many pairs
// :param run => '0123456789ab'
// :param layer => 'ln2.0'
// :param min_share => 0.01
// :param k => 10
//
// Example answer, of the network that comes with lib-graph (layer = ln2.0):
//   first     second    similarity  common  first_label  second_label
//   ln2.0/13  ln2.0/14      0.9972      30  k=44         k=44
//   ln2.0/5   ln2.0/6        0.993     108  k=56         k=56
//   ln2.0/2   ln2.0/4       0.9446     109  k=22         k=15
MATCH (:Run {id: $run, status: 'complete'})
MATCH (a:Feature {run: $run})-[r:INTERACTS]->(t:Feature)
WHERE a.layer = $layer AND r.share >= $min_share
WITH a.id AS id, a.label AS label, a.index AS index, sum(r.strength) AS total,
     collect({target: t.id, strength: r.strength}) AS outputs
UNWIND outputs AS one
WITH one.target AS target,
     collect({id: id, label: label, index: index, root: sqrt(one.strength / total)}) AS sources
UNWIND sources AS a
UNWIND sources AS b
WITH a, b
WHERE a.index < b.index
WITH a.id AS first, b.id AS second, a.label AS first_label, b.label AS second_label,
     count(*) AS common, sum(a.root * b.root) AS similarity
RETURN first, second, similarity, common, first_label, second_label
ORDER BY round(similarity, 12) DESC, first, second
LIMIT $k
