INSERT INTO log (profile, at, wc_id, event, reason, gateway_message, w_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
