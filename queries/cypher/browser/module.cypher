// Module, as a graph: its features, and what is strong among them
// Needs modules: lib-graph communities --write. Their ids: MATCH (c:Community) RETURN c.id
// :param run => '0123456789ab'
// :param community => '0123456789ab/own/leiden/sqrt/1.0/0/1'
// :param min_share => 0.05
MATCH (:Run {id: $run, status: 'complete'})
MATCH (c:Community {id: $community})<-[member:IN_COMMUNITY]-(f:Feature)
WHERE c.run = $run
OPTIONAL MATCH (f)-[interaction:INTERACTS]->(other:Feature)-[:IN_COMMUNITY]->(c)
WHERE interaction.share >= $min_share
RETURN c AS module, member, f AS feature, interaction, other
