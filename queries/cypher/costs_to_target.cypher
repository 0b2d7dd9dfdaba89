// One layer back: the least cost from each feature to the targets, by way of the features of the
// next layer, whose own least costs are $next (cost = -ln share, summed along a path).
// :param run => '0123456789ab'
// :param next => [{id: '0123456789ab/output/5', cost: 0.0}]
MATCH (:Run {id: $run, status: 'complete'})
UNWIND $next AS step
MATCH (t:Feature {id: step.id})<-[r:INTERACTS]-(s:Feature)
WHERE t.run = $run AND r.cost IS NOT NULL
RETURN s.id AS id, min(r.cost + step.cost) AS cost
