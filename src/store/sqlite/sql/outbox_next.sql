-- The same rows, whenever they are due.
WITH RECURSIVE heads (subject, id) AS (
    SELECT subject, id
    FROM (SELECT subject, id FROM outbox WHERE profile = ?1 AND receiver = ?2 ORDER BY subject, id LIMIT 1)
    UNION ALL
    SELECT next.subject, next.id
    FROM heads
    JOIN outbox AS next ON next.id = (
        SELECT id
        FROM outbox
        WHERE profile = ?1 AND receiver = ?2 AND subject > heads.subject
        ORDER BY subject, id
        LIMIT 1
    )
)
SELECT min(CASE WHEN outbox.tries = 0 OR outbox.due > ?4 + (SELECT value FROM json_each(?5) WHERE key = min(outbox.tries, json_array_length(?5)) - 1) THEN min(outbox.due, ?4) ELSE outbox.due END)
FROM heads
CROSS JOIN outbox ON outbox.id = heads.id
WHERE outbox.claimed_by IS NULL OR outbox.claimed_by NOT IN (SELECT value FROM json_each(?3))
