RETURN strength, cost, reverse(way) AS path, shares, labels
ORDER BY through, way
