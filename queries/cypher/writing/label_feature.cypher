// Write the label of a feature.
// :param run => '0123456789ab'
// :param id => '0123456789ab/ln1.0/1'
// :param label => 'k=15'
MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {id: $id})
WHERE f.run = $run
SET f.label = $label
RETURN count(f) AS labelled
