UPDATE accounts
SET presence = ?3, source = ?4, observed_at = ?5, reason = ?6, gateway_message = ?7, first_night = ?8
WHERE profile = ?1 AND wc_id = ?2
