// What ablations of a run found, as JSON: the metric and the rows; null where nothing was ablated.
// :param run => '0123456789ab'
MATCH (:Run {id: $run, status: 'complete'})
MATCH (r:Run {id: $run})
RETURN r.ablations AS ablations
