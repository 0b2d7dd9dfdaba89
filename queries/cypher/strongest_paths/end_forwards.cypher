RETURN strength, cost, way AS path, shares, labels
ORDER BY through, path
