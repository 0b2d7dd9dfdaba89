// Saved circuit, as a graph: what 'lib-graph circuit --save NAME' kept
// :param run => '0123456789ab'
// :param name => 'five'
MATCH (:Run {id: $run, status: 'complete'})
MATCH (c:Circuit {run: $run, name: $name})-[:CONTAINS]->(s:Feature)
MATCH (s)-[interaction:INTERACTS]->(t:Feature)
WHERE s.id + '>' + t.id IN c.interactions
RETURN s AS source, interaction, t AS target
