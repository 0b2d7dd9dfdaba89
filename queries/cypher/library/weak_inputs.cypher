// Many weak inputs
// Which features have many weak inputs and no strong one?
//
// largest is the largest share of a single input. effective is 1 / Σ share²: how many inputs of
// equal share would be as spread out. No path into such a feature says much about it.
//
// $max_share (share): no input has a larger share than this
// $min_inputs (count): at least so many inputs
// $min_importance (share): the least importance of a feature, relative to its layer's largest
// $k (count): how many features
// :param run => '0123456789ab'
// :param max_share => 0.25
// :param min_inputs => 10
// :param min_importance => 0.001
// :param k => 10
//
// Example answer, of the network that comes with lib-graph:
//   feature     label  inputs  largest  effective
//   unembed/10  k=21       63   0.1796      8.334
//   unembed/9   k=21       63   0.2324      8.031
//   ln2.0/17    k=36      108   0.2131      7.994
MATCH (:Run {id: $run, status: 'complete'})
MATCH (m:Feature {run: $run})
WITH m.layer_index AS layer_index, max(m.importance) AS most
MATCH (t:Feature {run: $run, layer_index: layer_index})
WHERE most IS NULL OR t.importance >= $min_importance * most
MATCH (t)<-[r:INTERACTS]-(s:Feature)
WITH t, count(r) AS inputs, max(r.share) AS largest, 1 / sum(r.share * r.share) AS effective
WHERE largest <= $max_share AND inputs >= $min_inputs
RETURN t.id AS feature, t.label AS label, inputs, largest, effective
ORDER BY round(effective, 12) DESC, feature
LIMIT $k
