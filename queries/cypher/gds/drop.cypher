// Drop the graph $graph, which is in the server's memory only.
CALL gds.graph.drop($graph, false) YIELD graphName
RETURN graphName AS dropped
