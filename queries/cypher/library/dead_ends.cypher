// Dead ends
// Into which features does something flow that nothing further on depends on?
//
// Such a feature has no output with a share of at least $min_share, although it is not in the last
// layer. largest_out is its largest share of any target, 0 where it has none.
//
// $min_share (share): a share below this is no dependence
// $k (count): how many features
// :param run => '0123456789ab'
// :param min_share => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph (min_share = 0.01):
//   feature     label  strength_in  largest_out  importance
//   unembed/12  k=15         5.872     0.001897       6.126
//   unembed/13  k=22         4.661     0.001937       4.825
//   unembed/14  k=22         3.901     0.000946       3.804
MATCH (:Run {id: $run, status: 'complete'})-[:HAS_LAYER]->(l:Layer)
WITH max(l.index) AS last
MATCH (f:Feature {run: $run})
WHERE f.role <> 'constant' AND f.layer_index < last
OPTIONAL MATCH (f)-[o:INTERACTS]->(:Feature)
WITH f, max(coalesce(o.share, 0.0)) AS largest_out
WHERE largest_out < $min_share
MATCH (f)<-[i:INTERACTS]-(:Feature)
WITH f, largest_out, sum(i.strength) AS strength_in
RETURN f.id AS feature, f.label AS label, strength_in, largest_out, f.importance AS importance
ORDER BY strength_in DESC, feature
LIMIT $k
