// Modules by Louvain, kept beside the nodes of the graph $graph; Q at 1.
CALL gds.louvain.mutate($graph, {
    mutateProperty: 'community', relationshipWeightProperty: 'weight', concurrency: 1
}) YIELD modularity
RETURN modularity AS modularity
