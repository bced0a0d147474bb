SELECT wc_id, w_id, w_id_confirmed, nick_name, w_account, sex, avatar_url, presence, source, observed_at, last_login_at,
       first_login_at, holder, tags, note, reason, gateway_message, device, budget,
       CASE WHEN presence = 'offline'
            THEN (SELECT at FROM presences WHERE profile = ?1 AND presences.wc_id = ?2 ORDER BY n DESC LIMIT 1)
       END,
       observed_order, settled_order, success_order, success_attempt, first_night
FROM accounts
WHERE profile = ?1 AND wc_id = ?2
