// Circuit that was found before, as a graph: the interactions between the features of each pair
// :param run => '0123456789ab'
// :param pairs => [['0123456789ab/ln1.0/1', '0123456789ab/ln2.0/1']]
MATCH (:Run {id: $run, status: 'complete'})
UNWIND $pairs AS pair
MATCH (s:Feature {id: pair[0]})-[interaction:INTERACTS|CONSTANT]->(t:Feature {id: pair[1]})
WHERE s.run = $run
RETURN s AS source, interaction, t AS target
