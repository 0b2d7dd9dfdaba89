// What the nodes of an attribution graph have beside other features, in the order of their numbers.
// :param run => '0123456789ab'
MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {run: $run})
WHERE f.node IS NOT NULL
RETURN f.id AS id, f.role AS role, f.label AS label, f.node AS node, f.kind AS kind,
       f.depth AS depth, f.position AS position, f.number AS number, f.token AS token,
       f.activation AS activation, f.influence AS influence, f.probability AS probability,
       f.extra AS extra
ORDER BY f.index
