// The features of two runs that are most like each other, on the data of either; the likest first.
// :param run => '0123456789ab'
// :param other => 'ba9876543210'
MATCH (:Run {id: $run, status: 'complete'})
MATCH (:Run {id: $other, status: 'complete'})
MATCH (f:Feature {run: $run})-[m:MATCHES]-(g:Feature {run: $other})
WHERE m.rank = 1 AND m.other_rank = 1
RETURN f.id AS source, g.id AS target, m.correlation AS correlation, startNode(m).run AS data
ORDER BY abs(correlation) DESC, source, data
