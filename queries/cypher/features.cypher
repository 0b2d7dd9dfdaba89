// The features of a layer, or of all layers.
// :param run => '0123456789ab'
// :param layer => 1
// $layer is a layer's number, or null for all layers.
MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {run: $run})
WHERE $layer IS NULL OR f.layer_index = $layer
RETURN f.id AS id, f.layer AS layer, f.layer_index AS layer_index, f.index AS index,
       f.role AS role, f.importance AS importance, f.variance AS variance, f.label AS label
ORDER BY layer_index, index
