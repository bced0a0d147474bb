-- Receivers whom nobody has told anything, and for whom nothing has come in, since ?2. ?3: the owners (a JSON array) that
-- are telling somebody something.
SELECT receiver
FROM outbox
WHERE profile = ?1
GROUP BY receiver
HAVING max(due) < ?2 AND sum(claimed_by IS NOT NULL AND claimed_by IN (SELECT value FROM json_each(?3))) = 0
