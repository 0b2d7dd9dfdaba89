// Specialists
// Which features drive few targets?
//
// effective is (Σ strength)² / Σ strength²: the number of targets, were they driven equally. part
// is the part of all strength out of the layer, the constant left out; those under $min_part are
// left out.
//
// $min_part (share): the least part of the layer's strength
// $layer (layer): only this layer; null for all
// $k (count): how many features
// :param run => '0123456789ab'
// :param min_part => 0.001
// :param layer => null
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   feature   label  targets  effective  strength      part
//   ln1.0/6   k=56        63      1.165      1136   0.04447
//   ln1.0/12  k=44        63      1.196     142.4  0.005578
//   ln1.0/13  k=44        63       1.24     116.5  0.004562
MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {run: $run})
WHERE $layer IS NULL OR f.layer = $layer
MATCH (f)-[r:INTERACTS]->(:Feature)
WITH f, count(r) AS targets, sum(r.strength) AS strength,
     sum(r.strength * r.strength) AS squares
WITH f.layer_index AS layer_index, sum(strength) AS total,
     collect({feature: f.id, label: f.label, targets: targets, strength: strength,
              squares: squares}) AS members
UNWIND members AS one
WITH one, one.strength / total AS part
WHERE part >= $min_part
RETURN one.feature AS feature, one.label AS label, one.targets AS targets,
       one.strength * one.strength / one.squares AS effective, one.strength AS strength, part
ORDER BY effective, feature
LIMIT $k
