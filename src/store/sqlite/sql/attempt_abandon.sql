UPDATE attempts
SET state = 'abandoned'
WHERE profile = ?1 AND id = ?2 AND state = 'open'
