// The shares of what flows into the features $targets, a row per target: what can be on a path.
// :param run => '0123456789ab'
// :param targets => ['0123456789ab/output/5']
MATCH (:Run {id: $run, status: 'complete'})
UNWIND $targets AS wanted
MATCH (t:Feature {id: wanted})<-[r:INTERACTS]-(s:Feature)
WHERE t.run = $run AND r.share > 0
RETURN t.index AS target, collect(s.layer_index) AS layers, collect(s.index) AS sources,
       collect(r.share) AS shares
