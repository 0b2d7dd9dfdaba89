// The edges required out of each layer whose edges were ablated.
// :param run => '0123456789ab'
MATCH (:Run {id: $run, status: 'complete'})-[:HAS_LAYER]->(l:Layer)
WHERE l.edges_required IS NOT NULL
RETURN l.index AS layer, l.edges_required AS edges_required
ORDER BY layer
