-- Unless a login that was requested later is stored. That a list or the old instance itself showed a wId since is no
-- word of what becomes of the phone's dialog.
UPDATE accounts
SET presence = 'unknown', w_id_confirmed = 0, reason = ?3, gateway_message = ?4
WHERE profile = ?1 AND wc_id = ?2 AND (success_attempt IS NULL OR success_order <= ?5)
