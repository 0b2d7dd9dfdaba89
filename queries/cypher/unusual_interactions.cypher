// What a run uses that another run over the same features does not: of its interactions with a
// share of at least $min_share, those that are stronger than the other run's by the largest factor.
// :param run => '0123456789ab'
// :param other => 'ba9876543210'
// :param min_share => 0.05
// :param min_importance => 0.000001
// :param limit => 20
// $run is the run of one input, $other the run whose features it has (or one of another input).
// Targets less important than $min_importance times the largest of their layer are left out.
MATCH (:Run {id: $run, status: 'complete'})
MATCH (:Run {id: $other, status: 'complete'})
MATCH (f:Feature {run: $run})
WITH f.layer_index AS layer, $min_importance * max(f.importance) AS floor
MATCH (t:Feature {run: $run, layer_index: layer})
WHERE floor IS NULL OR t.importance >= floor
MATCH (s:Feature)-[r:INTERACTS]->(t)
WHERE r.share >= $min_share
WITH s, t, r, $other + '/' + s.layer + '/' + toString(s.index) AS source,
     $other + '/' + t.layer + '/' + toString(t.index) AS target
OPTIONAL MATCH (:Feature {id: source})-[o:INTERACTS]->(:Feature {id: target})
RETURN s.id AS source, t.id AS target, r.strength AS strength, o.strength AS other_strength,
       r.strength / o.strength AS ratio, r.share AS share, o.share AS other_share,
       s.label AS source_label, t.label AS target_label
ORDER BY coalesce(ratio, 1.0e300) DESC, strength DESC, source, target
LIMIT $limit
