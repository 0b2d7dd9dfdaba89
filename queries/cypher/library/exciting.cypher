// Excitation
// Which interactions raise their target most, averaged over the data?
//
// effect is the signed mean of what the source contributes to the target; here the most positive
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
//   ln2.0/3  unembed/3   54.38      5362  0.4954  k=22          k=22
//   ln2.0/7  unembed/7   31.37      1747  0.4915  k=18          k=18
//   ln2.0/5  unembed/5   28.96      1585   0.493  k=56          k=56
MATCH (:Run {id: $run, status: 'complete'})
MATCH (s:Feature {run: $run})
WHERE $layer IS NULL OR s.layer = $layer
MATCH (s)-[r:INTERACTS]->(t:Feature)
WHERE r.share >= $min_share AND r.effect > 0
RETURN s.id AS source, t.id AS target, r.effect AS effect, r.strength AS strength,
       r.share AS share, s.label AS source_label, t.label AS target_label
ORDER BY effect DESC, source, target
LIMIT $k
