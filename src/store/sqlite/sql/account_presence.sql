UPDATE accounts
SET presence = ?3, source = ?4, observed_at = ?5, reason = ?6, gateway_message = ?7, observed_order = ?8, first_night = ?9
WHERE profile = ?1 AND wc_id = ?2
