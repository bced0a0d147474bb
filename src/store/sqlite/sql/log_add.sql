INSERT INTO log (profile, at, wc_id, event, reason, gateway_message, w_id, cause)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
