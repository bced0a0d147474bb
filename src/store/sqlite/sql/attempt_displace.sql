UPDATE attempts
SET state = 'abandoned', epoch = epoch + 1
WHERE profile = ?1 AND id = ?2 AND state = 'open'
