-- One row: a JSON array, oldest first.
SELECT json_group_array(at)
FROM (
    SELECT at
    FROM log INDEXED BY log_drops
    WHERE profile = ?1 AND event = 'dropped' AND at >= ?2 AND (?3 IS NULL OR wc_id = ?3)
    ORDER BY at
)
