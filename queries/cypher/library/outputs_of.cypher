// Outputs of a feature
// What does one feature drive, those that depend on it most first?
//
// $feature (feature, required): the feature that drives
// $k (count): how many targets
// :param run => '0123456789ab'
// :param feature => '0123456789ab/ln1.0/1'
// :param k => 10
MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {id: $feature})-[r:INTERACTS]->(t:Feature)
WHERE f.run = $run
RETURN t.id AS target, t.label AS label, r.strength AS strength, r.stderr AS stderr,
       r.effect AS effect, r.share AS share
ORDER BY r.share DESC, target
LIMIT $k
