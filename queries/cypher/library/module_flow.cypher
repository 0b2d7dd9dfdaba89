// The graph of modules
// How much flows from each module to each other, and within?
//
// strength and share are sums over the interactions from a feature of source to one of target; a
// row whose source is its target is what stays within.
// Needs stored modules: lib-graph communities --write
//
// $engine (own | gds): who found the stored modules
// $method (leiden | louvain): of the stored modules
// $weights (sqrt | log): of the stored modules
// $resolution (number): of the stored modules
// $seed (index): of the stored modules
// $k (count): how many pairs of modules
// :param run => '0123456789ab'
// :param engine => 'own'
// :param method => 'leiden'
// :param weights => 'sqrt'
// :param resolution => 1.0
// :param seed => 0
// :param k => 100
//
// Example answer, of the network that comes with lib-graph:
//   source  target  interactions  strength  share  source_size  target_size
//        1       1          7104      7829  65.07          196          196
//        5       1           232       125   23.6            6          196
//        4       1           800     192.2  22.81           17          196
MATCH (:Run {id: $run, status: 'complete'})
MATCH (a:Community {run: $run, engine: $engine, method: $method, weights: $weights,
                    resolution: $resolution, seed: $seed})
MATCH (a)<-[:IN_COMMUNITY]-(s:Feature)-[r:INTERACTS]->(t:Feature)-[:IN_COMMUNITY]->(b:Community)
WHERE b.engine = $engine AND b.method = $method AND b.weights = $weights
  AND b.resolution = $resolution AND b.seed = $seed
RETURN a.index AS source, b.index AS target, count(r) AS interactions,
       sum(r.strength) AS strength, sum(r.share) AS share, a.size AS source_size,
       b.size AS target_size
ORDER BY share DESC, source, target
LIMIT $k
