-- How many accounts are offline (0), unknown (1), online (2); read from the index accounts_worst_first alone.
SELECT CASE presence WHEN 'offline' THEN 0 WHEN 'online' THEN 2 ELSE 1 END AS rank, count(*)
FROM accounts
WHERE profile = ?1
GROUP BY rank
