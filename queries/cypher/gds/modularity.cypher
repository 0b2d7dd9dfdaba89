// Q at resolution 1 of the modules that were found in the graph $graph.
CALL gds.modularity.stats($graph, {
    communityProperty: 'community', relationshipWeightProperty: 'weight', concurrency: 1
}) YIELD modularity
RETURN modularity AS modularity
