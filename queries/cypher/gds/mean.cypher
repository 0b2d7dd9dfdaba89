RETURN avg(weight) AS mean
