// Circuit, as a graph: all on a path to a feature whose every share is large enough
// The paths start in the first layer. 'lib-graph circuit' finds the same.
// :param run => '0123456789ab'
// :param target => '0123456789ab/output/5'
// :param min_share => 0.1
MATCH (:Run {id: $run, status: 'complete'})
MATCH path = (s:Feature)-[:INTERACTS*1..]->(t:Feature {id: $target})
WHERE s.run = $run AND s.layer_index = 0 AND all(r IN relationships(path) WHERE r.share >= $min_share)
UNWIND relationships(path) AS interaction
WITH DISTINCT interaction
RETURN startNode(interaction) AS source, interaction, endNode(interaction) AS target
