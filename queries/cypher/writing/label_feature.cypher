MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {id: $id})
WHERE f.run = $run
SET f.label = $label
RETURN count(f) AS labelled
