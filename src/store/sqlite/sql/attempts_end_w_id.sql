UPDATE attempts
SET state = 'ended', image_url = NULL, device = NULL
WHERE profile = ?1 AND w_id = ?2 AND state <> 'ended'
