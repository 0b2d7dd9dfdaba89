// Features that one module uses
// Which features drive the features of one module alone?
//
// part is the part of the feature's strength into features with a module that goes to module, the
// one that gets most of it; own is the module the feature itself is in.
// Needs stored modules: lib-graph communities --write
//
// $min_part (share): the least part
// $engine (own | gds): who found the stored modules
// $method (leiden | louvain): of the stored modules
// $weights (sqrt | log): of the stored modules
// $resolution (number): of the stored modules
// $seed (index): of the stored modules
// $k (count): how many features
// :param run => '0123456789ab'
// :param min_part => 0.95
// :param engine => 'own'
// :param method => 'leiden'
// :param weights => 'sqrt'
// :param resolution => 1.0
// :param seed => 0
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   feature   label  module  own    part  strength
//   ln1.0/6   k=56        1    1   0.974      1136
//   ln1.0/8   k=18        2    2  0.9705     862.8
//   ln2.0/13  k=44        4    4  0.9793     545.5
MATCH (:Run {id: $run, status: 'complete'})
MATCH (c:Community {run: $run, engine: $engine, method: $method, weights: $weights,
                    resolution: $resolution, seed: $seed})
MATCH (c)<-[:IN_COMMUNITY]-(t:Feature)<-[r:INTERACTS]-(f:Feature)
WITH f, c.index AS module, sum(r.strength) AS strength
ORDER BY strength DESC, module
WITH f, collect(module) AS modules, sum(strength) AS total, max(strength) AS most
WHERE most / total >= $min_part
MATCH (f)-[:IN_COMMUNITY]->(o:Community {engine: $engine, method: $method, weights: $weights,
                                         resolution: $resolution, seed: $seed})
RETURN f.id AS feature, f.label AS label, modules[0] AS module, o.index AS own,
       most / total AS part, total AS strength
ORDER BY strength DESC, feature
LIMIT $k
