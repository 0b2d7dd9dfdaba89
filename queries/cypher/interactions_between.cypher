// The interactions from the first to the second feature of each pair in $pairs.
// :param run => '0123456789ab'
// :param pairs => [['0123456789ab/ln1.0/1', '0123456789ab/ln2.0/1']]
MATCH (:Run {id: $run, status: 'complete'})
UNWIND $pairs AS pair
MATCH (s:Feature {id: pair[0]})-[r:INTERACTS|CONSTANT]->(t:Feature {id: pair[1]})
WHERE s.run = $run
RETURN s.id AS source, t.id AS target, r.strength AS strength, r.stderr AS stderr,
       r.effect AS effect, r.share AS share
