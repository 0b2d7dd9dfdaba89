// Bridges between modules
// Which interactions join different modules most?
//
// Needs stored modules: lib-graph communities --write
//
// $engine (own | gds): who found the stored modules
// $method (leiden | louvain): of the stored modules
// $weights (sqrt | log): of the stored modules
// $resolution (number): of the stored modules
// $seed (index): of the stored modules
// $min_importance (share): the least importance of a target, relative to its layer's largest
// $k (count): how many interactions
// :param run => '0123456789ab'
// :param engine => 'own'
// :param method => 'leiden'
// :param weights => 'sqrt'
// :param resolution => 1.0
// :param seed => 0
// :param min_importance => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   source   target    source_module  target_module   share  strength  source_label  target_label
//   ln1.0/1  ln2.0/18              1              2  0.6203     17.83  k=15          k=36
//   ln1.0/3  ln2.0/4               3              5  0.4764      1356  k=15          k=15
//   ln1.0/1  ln2.0/1               1              5  0.3807      2388  k=15          k=15
MATCH (:Run {id: $run, status: 'complete'})
MATCH (m:Feature {run: $run})
WITH m.layer_index AS layer_index, max(m.importance) AS most
MATCH (t:Feature {run: $run, layer_index: layer_index})
WHERE most IS NULL OR t.importance >= $min_importance * most
MATCH (t)-[:IN_COMMUNITY]->(b:Community {engine: $engine, method: $method, weights: $weights,
                                         resolution: $resolution, seed: $seed})
MATCH (t)<-[r:INTERACTS]-(s:Feature)
MATCH (s)-[:IN_COMMUNITY]->(a:Community {engine: $engine, method: $method, weights: $weights,
                                         resolution: $resolution, seed: $seed})
WHERE a.index <> b.index
RETURN s.id AS source, t.id AS target, a.index AS source_module, b.index AS target_module,
       r.share AS share, r.strength AS strength, s.label AS source_label, t.label AS target_label
ORDER BY share DESC, source, target
LIMIT $k
