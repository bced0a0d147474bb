-- Receivers whom nobody has told anything, and for whom nothing has come in, since ?2.
SELECT receiver, count(*)
FROM outbox
WHERE profile = ?1
GROUP BY receiver
HAVING max(due) < ?2 AND count(claimed_by) = 0
