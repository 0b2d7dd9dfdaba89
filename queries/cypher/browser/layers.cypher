// Layers of a run, as a graph: what feeds what
// :param run => '0123456789ab'
MATCH (r:Run {id: $run, status: 'complete'})-[has:HAS_LAYER]->(l:Layer)
OPTIONAL MATCH (l)-[feeds:FEEDS]->(next:Layer)
RETURN r AS run, has, l AS layer, feeds, next
