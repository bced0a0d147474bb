UPDATE attempts
SET rung = ?3, requested_at = ?4, requested_order = ?5, w_id = NULL, image_url = NULL, deadline = NULL,
    deadline_boot = NULL, deadline_boot_ms = NULL
WHERE profile = ?1 AND id = ?2
