// The $k cheapest paths from one of the places $starts to one of $ends, by Yen: a place is
// layer * $width + index + 2, and 0 and 1 stand before all starts and after all ends.
CALL gds.graph.drop($graph, false) YIELD graphName
WITH count(*) AS dropped
CALL () {
    MATCH (:Run {id: $run, status: 'complete'})
    MATCH (s:Feature {run: $run})-[r:INTERACTS]->(t:Feature)
    WHERE s.layer_index >= $first AND t.layer_index <= $last
    RETURN s.layer_index * $width + s.index + 2 AS source,
           t.layer_index * $width + t.index + 2 AS target, r.cost AS cost
    UNION ALL
    UNWIND $starts AS place
    RETURN 0 AS source, place AS target, 0.0 AS cost
    UNION ALL
    UNWIND $ends AS place
    RETURN place AS source, 1 AS target, 0.0 AS cost
}
WITH gds.graph.project($graph, source, target, {relationshipProperties: {cost: cost}}) AS made
CALL gds.shortestPath.yens.stream(made.graphName, {
    sourceNode: 0, targetNode: 1, k: $k, relationshipWeightProperty: 'cost', concurrency: 1
}) YIELD totalCost, nodeIds
RETURN totalCost AS cost, nodeIds[1..-1] AS places
