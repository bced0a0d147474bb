-- One row: a JSON array, oldest first. Of accounts that are there: of others no belief is kept that would go with it.
SELECT json_group_array(at)
FROM (
    SELECT at
    FROM log INDEXED BY log_drops
    WHERE profile = ?1 AND event = 'dropped' AND at >= ?2 AND (?3 IS NULL OR wc_id = ?3)
      AND EXISTS (SELECT 1 FROM accounts WHERE accounts.profile = ?1 AND accounts.wc_id = log.wc_id)
    ORDER BY at
)
