// Answers made alike
// Which two features of a layer are driven by the same inputs in the same proportions?
//
// similarity is the cosine of the two features' columns of √share: 1 for equal proportions, 0 for
// no common input. Inputs with a share below $min_share are left out; it is what the search costs.
//
// $layer (layer, required): the layer of both features
// $min_share (share): the least share of an input
// $k (count): how many pairs
// :param run => '0123456789ab'
// :param layer => 'output'
// :param min_share => 0.01
// :param k => 10
//
// Example answer, of the network that comes with lib-graph (layer = output):
//   first      second      similarity  common  first_label  second_label
//   output/64  output/75       0.9859       8
//   output/65  output/70       0.9859       9
//   output/39  output/103      0.9791       8
MATCH (:Run {id: $run, status: 'complete'})
MATCH (t:Feature {run: $run})<-[r:INTERACTS]-(s:Feature)
WHERE t.layer = $layer AND r.share >= $min_share
WITH t.id AS id, t.label AS label, t.index AS index, sum(r.share) AS total,
     collect({source: s.id, share: r.share}) AS inputs
UNWIND inputs AS one
WITH one.source AS source,
     collect({id: id, label: label, index: index, root: sqrt(one.share / total)}) AS targets
UNWIND targets AS a
UNWIND targets AS b
WITH a, b
WHERE a.index < b.index
WITH a.id AS first, b.id AS second, a.label AS first_label, b.label AS second_label,
     count(*) AS common, sum(a.root * b.root) AS similarity
RETURN first, second, similarity, common, first_label, second_label
ORDER BY round(similarity, 12) DESC, first, second
LIMIT $k
