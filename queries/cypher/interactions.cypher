// The strongest interactions out of a layer or a feature, into a layer or a feature, or of all.
// :param run => '0123456789ab'
// :param source_layer => 0
// :param source => null
// :param target_layer => 1
// :param target => null
// :param constants => false
// :param min_strength => 0.0
// :param limit => 20
// $source_layer and $target_layer are layers' numbers, $source and $target features' indices in
// them; each may be null for "any". $constants: also those out of constant features.
// Only the $limit features with the strongest single interaction can be sources of the answer:
// to find them first spares the sorting of all interactions.
MATCH (:Run {id: $run, status: 'complete'})
MATCH (s:Feature {run: $run})
WHERE ($source_layer IS NULL OR s.layer_index = $source_layer)
  AND ($source IS NULL OR s.index = $source)
  AND ($constants OR s.role <> 'constant')
CALL (s) {
  MATCH (s)-[r:INTERACTS|CONSTANT]->(t:Feature)
  WHERE ($target_layer IS NULL OR t.layer_index = $target_layer)
    AND ($target IS NULL OR t.index = $target)
  RETURN max(r.strength) AS strongest
}
WITH s, strongest
WHERE strongest >= $min_strength
WITH s ORDER BY strongest DESC, s.id LIMIT $limit
MATCH (s)-[r:INTERACTS|CONSTANT]->(t:Feature)
WHERE r.strength >= $min_strength
  AND ($target_layer IS NULL OR t.layer_index = $target_layer)
  AND ($target IS NULL OR t.index = $target)
RETURN s.id AS source, t.id AS target, r.strength AS strength, r.stderr AS stderr,
       r.effect AS effect, r.share AS share, s.label AS source_label, t.label AS target_label
ORDER BY strength DESC, source, target
LIMIT $limit
