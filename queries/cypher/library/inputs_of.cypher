// Inputs of a feature
// What drives one feature, the strongest first?
//
// running is the sum of the shares up to this row: how many inputs make up most of the feature.
//
// $feature (feature, required): the feature that is driven
// $k (count): how many inputs
// :param run => '0123456789ab'
// :param feature => '0123456789ab/output/5'
// :param k => 10
//
// Example answer, of the network that comes with lib-graph (feature = output/5):
//   source     label  strength  stderr      effect    share  running
//   unembed/2  k=15      174.2     2.1  -1.388e-16   0.6401   0.6401
//   unembed/4  k=22      24.55   0.331    4.64e-16  0.09017   0.7302
//   unembed/1  k=15      20.67  0.2514   9.021e-17  0.07594   0.8062
MATCH (:Run {id: $run, status: 'complete'})
MATCH (s:Feature)-[r:INTERACTS]->(f:Feature {id: $feature})
WHERE f.run = $run
WITH s, r
ORDER BY r.share DESC, s.id
WITH collect({source: s.id, label: s.label, strength: r.strength, stderr: r.stderr,
              effect: r.effect, share: r.share}) AS inputs
UNWIND range(0, size(inputs) - 1) AS n
WITH inputs, n, inputs[n] AS one
WHERE n < $k
RETURN one.source AS source, one.label AS label, one.strength AS strength, one.stderr AS stderr,
       one.effect AS effect, one.share AS share,
       reduce(total = 0.0, each IN inputs[0..n + 1] | total + each.share) AS running
ORDER BY n
