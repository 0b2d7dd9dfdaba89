MATCH (n)<-[r:INTERACTS]-(m:Feature)
WHERE r.cost IS NOT NULL AND {rest} IS NOT NULL
WITH m AS n, [m.id] + path AS path, [m.label] + labels AS labels, [r.share] + shares AS shares,
     strength * r.share AS strength, cost + r.cost AS cost, cost + r.cost + {rest} AS through
ORDER BY through, path LIMIT $k
