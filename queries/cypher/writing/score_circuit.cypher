// Note what a test of a circuit found.
// :param id => '0123456789ab/my circuit'
// :param score => 0.98
// :param baseline => 1.0
// :param random_score => 0.02
// :param metric => 'accuracy'
// :param answers => null
MATCH (c:Circuit {id: $id})
SET c.score = $score, c.baseline = $baseline, c.random_score = $random_score,
    c.metric = $metric, c.answers = $answers
