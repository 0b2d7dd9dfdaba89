WITH max(through) AS worst,
     collect({n: n, way: way, labels: labels, shares: shares, strength: strength, cost: cost}) AS kept
WITH kept, CASE WHEN size(kept) < $k THEN 1.0e300 ELSE worst * (1 + 1.0e-9) + 1.0e-9 END AS bound
UNWIND kept AS row
WITH bound, row.n AS n, row.way AS way, row.labels AS labels, row.shares AS shares,
     row.strength AS strength, row.cost AS cost
MATCH (n)<-[r:INTERACTS]-(m:Feature)
WHERE cost + r.cost + {rest} <= bound
WITH m AS n, way + [m.id] AS way, [m.label] + labels AS labels, [r.share] + shares AS shares,
     strength * r.share AS strength, cost + r.cost AS cost,
     round(cost + r.cost + {rest}, 10) AS through
ORDER BY through, way LIMIT $k
