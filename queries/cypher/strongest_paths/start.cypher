// The $k strongest paths, exactly. A path's strength is the product of its shares, its cost the
// sum of -ln share. Walk from one end, a layer at a time; `through` is the cost so far plus the
// least cost to the other end, so it is what the best path through a row costs, and after each layer
// only the $k best rows can matter. Each of them does have such a path: no row beyond the worst of
// them (`bound`, with room for rounding) can matter either, and none is made in the next layer.
// Costs that agree to 10 decimals are equal, and of equals those come first whose ids do, compared
// from where the walk starts.
// $start_layer is the number of the layer where the walk starts, $start_index a feature's index in
// it or null for the whole layer, of which features less important than $start_floor are left out.
MATCH (:Run {id: $run, status: 'complete'})
MATCH (n:Feature {run: $run, layer_index: $start_layer})
WHERE n.role <> 'constant'
  AND ($start_index IS NULL OR n.index = $start_index)
  AND ($start_floor IS NULL OR n.importance >= $start_floor)
  AND {rest} IS NOT NULL
WITH n, [n.id] AS way, [n.label] AS labels, [] AS shares, 1.0 AS strength, 0.0 AS cost,
     round({rest}, 10) AS through
ORDER BY through, way LIMIT $k
