UPDATE accounts
SET presence = 'unknown', w_id_confirmed = 0, reason = ?3, gateway_message = ?4
WHERE profile = ?1 AND wc_id = ?2 AND (last_login_at IS NULL OR last_login_at < ?5)
