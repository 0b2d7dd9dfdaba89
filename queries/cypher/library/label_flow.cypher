// Flow between labels
// From which labels to which does the strength between two layers flow?
//
// part is the part of all strength between the two layers, the constant left out; label '' stands
// for features that have none.
//
// $layer (layer): only from this layer to the next; null for all
// $k (count): how many pairs of labels
// :param run => '0123456789ab'
// :param layer => null
// :param k => 20
//
// Example answer, of the network that comes with lib-graph:
//   source_layer  target_layer  source_label  target_label    part   strength  interactions
//   unembed       output        k=15                        0.5442  1.582e+04           456
//   ln1.0         ln2.0         k=15          k=15          0.3864       9866            36
//   ln2.0         unembed       k=15          k=15           0.335  1.837e+04            48
MATCH (:Run {id: $run, status: 'complete'})
MATCH (s:Feature {run: $run})-[r:INTERACTS]->(t:Feature)
WHERE $layer IS NULL OR s.layer = $layer
WITH s.layer_index AS layer_index, t.layer_index AS end_index, s.layer AS source_layer,
     t.layer AS target_layer, s.label AS source_label, t.label AS target_label,
     count(r) AS interactions, sum(r.strength) AS strength
WITH layer_index, end_index, source_layer, target_layer, sum(strength) AS total,
     collect({source: source_label, target: target_label, interactions: interactions,
              strength: strength}) AS flows
UNWIND flows AS one
RETURN source_layer, target_layer, one.source AS source_label, one.target AS target_label,
       one.strength / total AS part, one.strength AS strength, one.interactions AS interactions
ORDER BY part DESC, layer_index, end_index, source_label, target_label
LIMIT $k
