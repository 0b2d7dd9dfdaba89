// Outputs of a feature
// What does one feature drive, those that depend on it most first?
//
// $feature (feature, required): the feature that drives
// $min_importance (share): the least importance of a target, relative to its layer's largest
// $k (count): how many targets
// :param run => '0123456789ab'
// :param feature => '0123456789ab/ln1.0/1'
// :param min_importance => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph (feature = ln1.0/1):
//   target    label  strength  stderr  effect   share
//   ln2.0/18  k=36      17.83  0.1411  -2.362  0.6203
//   ln2.0/1   k=15       2388   16.84   27.62  0.3807
//   ln2.0/6   k=56      402.1   2.833   11.32   0.294
MATCH (:Run {id: $run, status: 'complete'})
MATCH (m:Feature {run: $run})
WITH m.layer_index AS layer_index, max(m.importance) AS most
MATCH (f:Feature {id: $feature})-[r:INTERACTS]->(t:Feature {layer_index: layer_index})
WHERE f.run = $run AND (most IS NULL OR t.importance >= $min_importance * most)
RETURN t.id AS target, t.label AS label, r.strength AS strength, r.stderr AS stderr,
       r.effect AS effect, r.share AS share
ORDER BY r.share DESC, target
LIMIT $k
