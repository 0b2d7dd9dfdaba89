// Strongest path, as a graph: the one from the first layer to a feature whose shares multiply to most
// It follows the least costs that are kept on the features; equally strong ones all come.
// :param run => '0123456789ab'
// :param target => '0123456789ab/output/5'
MATCH (:Run {id: $run, status: 'complete'})
MATCH path = (s:Feature)-[:INTERACTS*1..]->(t:Feature {id: $target})
WHERE s.run = $run AND s.layer_index = 0 AND all(r IN relationships(path) WHERE
  startNode(r).cost_from_inputs + r.cost <= endNode(r).cost_from_inputs + 1.0e-9)
RETURN path
