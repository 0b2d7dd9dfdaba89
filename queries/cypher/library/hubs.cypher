// Hubs
// Which features interact most, by total strength or by number of interactions?
//
// strength_out and strength_in are sums over all targets and over all sources but the constant.
// degree_out and degree_in count the interactions whose share is at least $min_share.
//
// $by (strength_out | strength_in | degree_out | degree_in): what to sort by
// $min_share (share): the least share that counts for a degree
// $layer (layer): only this layer; null for all
// $k (count): how many features
// :param run => '0123456789ab'
// :param by => 'strength_out'
// :param min_share => 0.01
// :param layer => null
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   feature    label  strength_out  strength_in  degree_out  degree_in
//   ln2.0/1    k=15      1.229e+04         6273         109          3
//   ln2.0/2    k=22           8835         3639         111          5
//   unembed/1  k=15           8473    1.379e+04         101          6
MATCH (:Run {id: $run, status: 'complete'})
MATCH (f:Feature {run: $run})
WHERE f.role <> 'constant' AND ($layer IS NULL OR f.layer = $layer)
OPTIONAL MATCH (f)-[o:INTERACTS]->(:Feature)
WITH f, sum(coalesce(o.strength, 0.0)) AS strength_out,
     sum(CASE WHEN o.share >= $min_share THEN 1 ELSE 0 END) AS degree_out
OPTIONAL MATCH (f)<-[i:INTERACTS]-(:Feature)
WITH f, strength_out, degree_out, sum(coalesce(i.strength, 0.0)) AS strength_in,
     sum(CASE WHEN i.share >= $min_share THEN 1 ELSE 0 END) AS degree_in
RETURN f.id AS feature, f.label AS label, strength_out, strength_in, degree_out, degree_in
ORDER BY CASE $by WHEN 'strength_out' THEN strength_out WHEN 'strength_in' THEN strength_in
                  WHEN 'degree_out' THEN degree_out ELSE degree_in END DESC, feature
LIMIT $k
