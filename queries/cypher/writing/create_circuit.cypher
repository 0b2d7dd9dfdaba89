// Store a circuit.
// :param id => '0123456789ab/my circuit'
// :param properties => {run: '0123456789ab', name: 'my circuit', interactions: []}
// :param features => ['0123456789ab/ln1.0/1']
CREATE (c:Circuit {id: $id})
SET c += $properties
WITH c
UNWIND $features AS feature
MATCH (f:Feature {id: feature})
CREATE (c)-[:CONTAINS]->(f)
RETURN count(*) AS features
