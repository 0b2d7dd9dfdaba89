// The interactions into the features $targets whose share is at least $min_share.
// :param run => '0123456789ab'
// :param targets => ['0123456789ab/output/5']
// :param min_share => 0.05
MATCH (:Run {id: $run, status: 'complete'})
UNWIND $targets AS wanted
MATCH (t:Feature {id: wanted})<-[r:INTERACTS]-(s:Feature)
WHERE t.run = $run AND r.share >= $min_share
RETURN s.id AS source, t.id AS target, r.strength AS strength, r.stderr AS stderr,
       r.effect AS effect, r.share AS share
