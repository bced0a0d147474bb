UPDATE attempts
SET owner = ?4, epoch = epoch + 1
WHERE profile = ?1 AND id = ?2 AND owner = ?3 AND state <> 'ended'
RETURNING epoch
