// The smallest strength out of each layer that an ablation requires; null where there was none.
// :param run => '0123456789ab'
MATCH (:Run {id: $run, status: 'complete'})-[:HAS_LAYER]->(l:Layer)
RETURN l.index AS layer_index, l.name AS layer, l.smallest_kept AS smallest_kept
ORDER BY layer_index
