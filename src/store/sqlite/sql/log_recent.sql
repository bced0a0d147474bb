SELECT at, wc_id, event, reason, gateway_message, w_id, cause
FROM log
WHERE profile = ?1
ORDER BY id DESC
LIMIT ?2
