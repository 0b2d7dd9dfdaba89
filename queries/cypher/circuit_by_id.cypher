// One saved circuit; its interactions are texts 'source id>target id'.
// :param run => '0123456789ab'
// :param id => '0123456789ab/my circuit'
MATCH (:Run {id: $run, status: 'complete'})
MATCH (c:Circuit {id: $id})
WHERE c.run = $run
OPTIONAL MATCH (c)-[:CONTAINS]->(f:Feature)
WITH c, collect(f.id) AS features
RETURN c.query AS query, features, c.interactions AS interactions, c.score AS score,
       c.baseline AS baseline, c.random_score AS random_score, c.metric AS metric,
       c.answers AS answers, c.created AS created
