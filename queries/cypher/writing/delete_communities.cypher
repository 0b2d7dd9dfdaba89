// Delete the modules that were found in one way.
// :param run => '0123456789ab'
// :param engine => 'own'
// :param method => 'leiden'
// :param weights => 'sqrt'
// :param resolution => 1.0
// :param seed => 0
MATCH (c:Community {run: $run, engine: $engine, method: $method, weights: $weights,
                    resolution: $resolution, seed: $seed})
DETACH DELETE c
