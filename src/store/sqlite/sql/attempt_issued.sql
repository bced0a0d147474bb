UPDATE attempts
SET w_id = ?3, image_url = ?4, deadline = ?5, deadline_boot = ?6, deadline_boot_ms = ?7
WHERE profile = ?1 AND id = ?2 AND state <> 'ended'
