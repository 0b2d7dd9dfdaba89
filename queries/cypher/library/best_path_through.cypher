// Features on strong paths
// How strong is the strongest path from the first layer to the last that passes through a feature?
//
// A path's strength is the product of its shares. Features of the first and the last layer count
// too.
//
// $layer (layer): only this layer; null for all
// $k (count): how many features
// :param run => '0123456789ab'
// :param layer => null
// :param k => 10
//
// Example answer, of the network that comes with lib-graph (layer = ln2.0):
//   feature  label  strength  importance
//   ln2.0/1  k=15     0.2148   1.264e+04
//   ln2.0/3  k=22     0.1035        9069
//   ln2.0/4  k=15    0.07027        8278
MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {run: $run})
WHERE f.cost_from_inputs IS NOT NULL AND f.cost_to_outputs IS NOT NULL
  AND ($layer IS NULL OR f.layer = $layer)
RETURN f.id AS feature, f.label AS label,
       exp(-(f.cost_from_inputs + f.cost_to_outputs)) AS strength, f.importance AS importance
ORDER BY f.cost_from_inputs + f.cost_to_outputs, feature
LIMIT $k
