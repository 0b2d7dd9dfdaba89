// Bridges between modules
// Which interactions join different modules most?
//
// Needs stored modules: lib-graph communities --write
//
// $method (leiden | louvain): of the stored modules
// $resolution (number): of the stored modules
// $seed (index): of the stored modules
// $k (count): how many interactions
// :param run => '0123456789ab'
// :param method => 'leiden'
// :param resolution => 1.0
// :param seed => 0
// :param k => 10
MATCH (:Run {id: $run, status: 'complete'})
MATCH (a:Community {run: $run, method: $method, resolution: $resolution, seed: $seed})
MATCH (a)<-[:IN_COMMUNITY]-(s:Feature)-[r:INTERACTS]->(t:Feature)-[:IN_COMMUNITY]->(b:Community)
WHERE b.method = $method AND b.resolution = $resolution AND b.seed = $seed
  AND a.index <> b.index
RETURN s.id AS source, t.id AS target, a.index AS source_module, b.index AS target_module,
       r.share AS share, r.strength AS strength, s.label AS source_label, t.label AS target_label
ORDER BY share DESC, source, target
LIMIT $k
