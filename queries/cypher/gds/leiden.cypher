// Modules by Leiden, kept beside the nodes of the graph $graph; Q at $resolution.
CALL gds.leiden.mutate($graph, {
    mutateProperty: 'community', relationshipWeightProperty: 'weight', gamma: $resolution,
    randomSeed: $seed, concurrency: 1
}) YIELD modularity
RETURN modularity AS modularity
