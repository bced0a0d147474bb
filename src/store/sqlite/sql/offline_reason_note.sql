UPDATE accounts
SET gateway_message = ?3
WHERE profile = ?1 AND wc_id = ?2 AND presence = 'offline' AND (last_login_at IS NULL OR last_login_at < ?4)
