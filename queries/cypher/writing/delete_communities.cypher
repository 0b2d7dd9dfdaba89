// Delete the modules that one method found with one resolution and seed.
// :param run => '0123456789ab'
// :param method => 'leiden'
// :param resolution => 1.0
// :param seed => 0
MATCH (c:Community {run: $run, method: $method, resolution: $resolution, seed: $seed})
DETACH DELETE c
