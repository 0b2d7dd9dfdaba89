// The features with the ids $ids.
// :param run => '0123456789ab'
// :param ids => ['0123456789ab/ln1.0/1', '0123456789ab/output/5']
MATCH (:Run {id: $run, status: 'complete'})
UNWIND $ids AS wanted
MATCH (f:Feature {id: wanted})
WHERE f.run = $run
RETURN f.id AS id, f.layer AS layer, f.layer_index AS layer_index, f.index AS index,
       f.role AS role, f.importance AS importance, f.variance AS variance, f.label AS label
ORDER BY layer_index, index
