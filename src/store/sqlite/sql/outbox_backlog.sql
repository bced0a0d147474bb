SELECT receiver, count(*), max(tries), min(json ->> '$.at'), min(due)
FROM outbox
WHERE profile = ?1
GROUP BY receiver
ORDER BY receiver
