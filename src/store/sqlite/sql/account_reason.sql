UPDATE accounts
SET reason = ?3, gateway_message = ?4
WHERE profile = ?1 AND wc_id = ?2 AND settled_order <= ?5
