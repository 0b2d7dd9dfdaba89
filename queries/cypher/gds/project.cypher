WITH gds.graph.project(
    $graph, s.layer_index * $width + s.index, t.layer_index * $width + t.index,
    {relationshipProperties: {weight: weight / $unit}}, {undirectedRelationshipTypes: ['*']}
) AS made
RETURN made.nodeCount AS features, made.relationshipCount AS relationships
