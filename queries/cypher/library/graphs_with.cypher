// Graphs with a feature
// In which attribution graphs of a model does a feature appear, and with which inputs?
//
// Of the graphs that are of the same model (their scan) as this run. A row is one position in the
// prompt of one graph. activation and influence are those of the file; inputs are the labels of the
// three inputs with the largest share, shares are these.
// Needs attribution graphs: lib-graph ingest GRAPH.json
//
// $layer (index, required): the number of the feature's layer in the model
// $number (index, required): the feature's number in its dictionary
// $k (count): how many rows
// :param run => '0123456789ab'
// :param layer => 20
// :param number => 15589
// :param k => 100
//
// Example answer, of two graphs by Neuronpedia (layer = 0, number = 19204):
//   graph         feature  position  token  activation  influence  inputs     shares  prompt
//   night-clt-hp  0/13            1  The           2.5     0.7758  ["<bos>"]  [1.0]   <bos>The say…
//   son-clt-hp    0/13            1  The           2.5     0.7649  ["<bos>"]  [1.0]   <bos>The say…
MATCH (here:Run {id: $run, status: 'complete'})
MATCH (f:Feature {depth: $layer, number: $number})
WHERE f.role = 'feature'
MATCH (r:Run {id: f.run, status: 'complete'})
WHERE r.model = here.model
WITH r, f ORDER BY r.name, r.id, f.position, f.id LIMIT $k
OPTIONAL MATCH (s:Feature)-[i:INTERACTS]->(f)
WITH r, f, s, i ORDER BY i.share DESC, s.id
WITH r, f, collect(s.label)[..3] AS inputs, collect(i.share)[..3] AS shares
RETURN r.name AS graph, f.id AS feature, f.position AS position, f.token AS token,
       f.activation AS activation, f.influence AS influence, inputs, shares, r.prompt AS prompt
ORDER BY graph, r.id, position, feature
LIMIT $k
