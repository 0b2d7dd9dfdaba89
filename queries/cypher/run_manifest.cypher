// The manifest of a run: the text of its manifest.json.
// :param run => '0123456789ab'
MATCH (r:Run {id: $run, status: 'complete'})
RETURN r.manifest AS manifest
