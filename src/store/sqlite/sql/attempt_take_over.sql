UPDATE attempts
SET owner = ?4
WHERE profile = ?1 AND id = ?2 AND owner = ?3 AND state <> 'ended'
