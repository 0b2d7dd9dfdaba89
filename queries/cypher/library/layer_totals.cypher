// Totals of the layers
// How much is in each layer: features, importance, interactions, and how strong they are?
//
// The constant feature is left out. interactions and strength are those out of the layer, strongest
// is the largest of them; importance is the sum over the features, 0 where it is not known.
//
// :param run => '0123456789ab'
//
// Example answer, of the network that comes with lib-graph:
//   layer_index  layer    width  features  importance  interactions   strength  strongest
//             0  ln1.0      128       108   5.648e+04          6804  2.554e+04       3602
//             1  ln2.0      128        63   5.809e+04          7182  5.484e+04       7894
//             2  unembed    128       114   2.907e+04         12996  2.907e+04      199.5
//             3  output     114       114           0             0          0          0
MATCH (:Run {id: $run, status: 'complete'})-[:HAS_LAYER]->(l:Layer)
MATCH (f:Feature {run: $run, layer_index: l.index})
WHERE f.role <> 'constant'
OPTIONAL MATCH (f)-[r:INTERACTS]->(:Feature)
WITH l, f, count(r) AS targets, sum(coalesce(r.strength, 0.0)) AS strength,
     max(coalesce(r.strength, 0.0)) AS strongest
RETURN l.index AS layer_index, l.name AS layer, l.width AS width, count(f) AS features,
       sum(coalesce(f.importance, 0.0)) AS importance, sum(targets) AS interactions,
       sum(strength) AS strength, max(strongest) AS strongest
ORDER BY layer_index
