SELECT id, at, wc_id, event, reason, gateway_message, w_id, cause
FROM log INDEXED BY log_by_time
WHERE profile = ?1 AND at >= ?2
ORDER BY at DESC, id DESC
LIMIT ?3
