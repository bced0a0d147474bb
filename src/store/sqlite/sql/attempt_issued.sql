UPDATE attempts
SET w_id = ?3, image_url = ?4, deadline = ?5
WHERE profile = ?1 AND id = ?2 AND state <> 'ended'
