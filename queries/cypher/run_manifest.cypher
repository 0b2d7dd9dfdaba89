// The manifest of a run: the text of its manifest.json.
// :param run => '0123456789ab'
MATCH (:Run {id: $run, status: 'complete'})
MATCH (r:Run {id: $run})
RETURN r.manifest AS manifest
