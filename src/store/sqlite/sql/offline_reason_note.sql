UPDATE accounts
SET gateway_message = ?3
WHERE profile = ?1 AND wc_id = ?2 AND presence = 'offline' AND settled_order <= ?4
