// The smallest strength out of each layer that an ablation of its edges keeps; a layer that was not
// ablated has none.
// :param run => '0123456789ab'
MATCH (:Run {id: $run, status: 'complete'})-[:HAS_LAYER]->(l:Layer)
WHERE l.smallest_kept IS NOT NULL
RETURN l.index AS layer, l.smallest_kept AS smallest_kept
ORDER BY layer
