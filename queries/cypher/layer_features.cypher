// What decides which features of a layer can end a path: role and importance.
// :param run => '0123456789ab'
// :param layer => 1
MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {run: $run, layer_index: $layer})
RETURN f.index AS index, f.role AS role, f.importance AS importance
ORDER BY index
