// Uncertain interactions
// Which strong interactions are known least well from this data?
//
// relative is stderr / strength, the standard error of the mean over the samples. Above 0.5 a few
// samples decide; more data would help. Runs of a single sample have none.
//
// $min_share (share): the least share of the target
// $k (count): how many interactions
// :param run => '0123456789ab'
// :param min_share => 0.05
// :param k => 10
MATCH (:Run {id: $run, status: 'complete'})
MATCH (s:Feature {run: $run})-[r:INTERACTS]->(t:Feature)
WHERE r.share >= $min_share AND r.stderr IS NOT NULL
RETURN s.id AS source, t.id AS target, r.stderr / r.strength AS relative, r.strength AS strength,
       r.stderr AS stderr, r.share AS share, s.label AS source_label, t.label AS target_label
ORDER BY relative DESC, source, target
LIMIT $k
