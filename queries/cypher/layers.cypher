// The layers of a run, from the first to the last.
// :param run => '0123456789ab'
MATCH (:Run {id: $run, status: 'complete'})-[:HAS_LAYER]->(l:Layer)
RETURN l.index AS index, l.name AS name, l.width AS width, l.features AS features
ORDER BY index
