// Inhibition
// Which interactions lower their target most, averaged over the data?
//
// effect is the signed mean of what the source contributes to the target; here the most negative
// come first. Features differ in scale: compare effects into the same target, or within a layer.
// The sign of a feature is a convention, so look at both ends.
//
// $layer (layer): only interactions out of this layer; null for all
// $min_share (share): the least share of the target
// $k (count): how many interactions
// :param run => '0123456789ab'
// :param layer => null
// :param min_share => 0.01
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   source   target     effect  strength   share  source_label  target_label
//   ln2.0/1  unembed/1  -66.53      7894  0.5724  k=15          k=15
//   ln2.0/1  unembed/2  -39.23      3583  0.4204  k=15          k=15
//   ln2.0/2  unembed/3  -35.14      3178  0.2936  k=22          k=22
MATCH (:Run {id: $run, status: 'complete'})
MATCH (s:Feature {run: $run})
WHERE $layer IS NULL OR s.layer = $layer
MATCH (s)-[r:INTERACTS]->(t:Feature)
WHERE r.share >= $min_share AND r.effect < 0
RETURN s.id AS source, t.id AS target, r.effect AS effect, r.strength AS strength,
       r.share AS share, s.label AS source_label, t.label AS target_label
ORDER BY effect, source, target
LIMIT $k
