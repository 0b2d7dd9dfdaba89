// Of each feature that has matches in another run, the largest |correlation|, on the data of either.
// :param run => '0123456789ab'
// :param other => 'ba9876543210'
MATCH (:Run {id: $run, status: 'complete'})
MATCH (:Run {id: $other, status: 'complete'})
MATCH (f:Feature {run: $run})-[m:MATCHES]-(:Feature {run: $other})
RETURN startNode(m).run AS data, f.layer AS layer, f.index AS feature,
       max(abs(m.correlation)) AS correlation
ORDER BY data, layer, feature
