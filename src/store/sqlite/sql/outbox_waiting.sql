-- The first row of each subject for one receiver, from one subject to the next, however many rows each of them has; of them
-- those that nobody is telling, with when they are due. ?3 is now, ?4 the owners (a JSON array) whose rows are being told, ?5 the
-- pauses (another) after the first, second … try: what would be due later than after its own was written by a clock that was
-- ahead.
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
),
waiting (id, json, tries, due) AS (
    SELECT
        outbox.id,
        outbox.json,
        outbox.tries,
        CASE
            WHEN outbox.tries = 0 THEN min(outbox.due, ?3)
            WHEN outbox.due > ?3 + (
                SELECT value FROM json_each(?5) WHERE key = min(outbox.tries, json_array_length(?5)) - 1
            ) THEN ?3
            ELSE outbox.due
        END
    FROM heads
    CROSS JOIN outbox ON outbox.id = heads.id
    WHERE outbox.claimed_by IS NULL OR outbox.claimed_by NOT IN (SELECT value FROM json_each(?4))
)
