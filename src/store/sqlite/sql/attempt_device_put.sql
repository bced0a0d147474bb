UPDATE attempts
SET device = ?3
WHERE profile = ?1 AND id = ?2 AND state <> 'ended'
