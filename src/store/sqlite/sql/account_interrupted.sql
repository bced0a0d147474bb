-- A login that was stored since changes nothing of that, unless it was requested later.
UPDATE accounts
SET presence = 'unknown', w_id_confirmed = 0, reason = ?3, gateway_message = ?4
WHERE profile = ?1 AND wc_id = ?2 AND (success_at IS NULL OR success_at < ?5)
