// All interactions out of a layer that are at least $min_strength strong, in no order.
// :param run => '0123456789ab'
// :param layer => 0
// :param min_strength => 0.0
MATCH (:Run {id: $run, status: 'complete'})
MATCH (s:Feature {run: $run, layer_index: $layer})
MATCH (s)-[r:INTERACTS|CONSTANT]->(t:Feature)
WHERE r.strength >= $min_strength
RETURN s.id AS source, t.id AS target, r.strength AS strength, r.stderr AS stderr,
       r.effect AS effect, r.share AS share, s.label AS source_label, t.label AS target_label,
       s.index AS source_index, t.index AS target_index
