// The module of each node of the graph $graph.
CALL gds.graph.nodeProperty.stream($graph, 'community') YIELD nodeId, propertyValue
RETURN nodeId AS place, propertyValue AS community
