SELECT wc_id, w_id, w_id_confirmed, nick_name, w_account, sex, avatar_url, presence, source, observed_at, last_login_at,
       first_login_at, holder, tags, note, reason, gateway_message
FROM accounts
WHERE profile = ?1
ORDER BY wc_id
