// Circuits with a feature
// Which saved circuits contain a feature, and what did their tests say?
//
// interactions_here counts the circuit's interactions that begin or end in the feature. score,
// baseline and random_score are null until the circuit is tested.
// Needs saved circuits: lib-graph circuit --save NAME
//
// $feature (feature, required): the feature
// :param run => '0123456789ab'
// :param feature => '0123456789ab/ln2.0/1'
//
// Example answer, of the network that comes with lib-graph (feature = ln2.0/1):
//   circuit  interactions  interactions_here  score  baseline  random_score
//   five               12                  4
//   six                15                  4
MATCH (:Run {id: $run, status: 'complete'})
MATCH (c:Circuit {run: $run})-[:CONTAINS]->(f:Feature {id: $feature})
RETURN c.name AS circuit, size(c.interactions) AS interactions,
       size([pair IN c.interactions
             WHERE pair STARTS WITH f.id + '>' OR pair ENDS WITH '>' + f.id]) AS interactions_here,
       c.score AS score, c.baseline AS baseline, c.random_score AS random_score
ORDER BY circuit
