// The edges that modules are found by, with √strength as weights, or with log10 of strength over
// the least that an ablation keeps out of the source's layer ($least, by layer). $unit: of weights.
MATCH (:Run {id: $run, status: 'complete'})
MATCH (s:Feature {run: $run})-[r:INTERACTS]->(t:Feature)
WHERE NOT s.role IN ['constant', 'error', 'output'] AND NOT t.role IN ['error', 'output']
WITH s, t, CASE WHEN $least IS NULL THEN sqrt(r.strength)
                ELSE log10(r.strength / $least[toString(s.layer_index)]) END AS weight
WHERE weight > 0
