// The saved circuits of a run, by name. score, baseline and random_score are null until tested.
// :param run => '0123456789ab'
MATCH (:Run {id: $run, status: 'complete'})
MATCH (c:Circuit {run: $run})
OPTIONAL MATCH (c)-[:CONTAINS]->(f:Feature)
RETURN c.name AS name, count(f) AS features, size(c.interactions) AS interactions,
       c.score AS score, c.baseline AS baseline, c.random_score AS random_score,
       c.metric AS metric, c.query AS query, c.created AS created
ORDER BY name
