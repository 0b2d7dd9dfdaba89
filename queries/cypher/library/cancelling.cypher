// Effects that cancel
// Which strong interactions push their target up as often as down?
//
// kept is effect² / strength: near 0 where the signed mean says nothing about a strong interaction,
// at most 1 where the source always pushes the same way with the same force.
//
// $min_share (share): the least share of the target
// $k (count): how many interactions
// :param run => '0123456789ab'
// :param min_share => 0.05
// :param k => 10
MATCH (:Run {id: $run, status: 'complete'})
MATCH (s:Feature {run: $run})-[r:INTERACTS]->(t:Feature)
WHERE r.share >= $min_share
RETURN s.id AS source, t.id AS target, r.effect * r.effect / r.strength AS kept,
       r.effect AS effect, r.strength AS strength, r.share AS share, s.label AS source_label,
       t.label AS target_label
ORDER BY kept, source, target
LIMIT $k
