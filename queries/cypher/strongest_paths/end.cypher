RETURN strength, cost, path, shares, labels
ORDER BY cost, path
