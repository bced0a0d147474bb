-- One row for the first ?2 accounts in the order that people see them in: worst first, then by name. A JSON array of
-- arrays as in accounts.sql. The order is that of the index accounts_worst_first, word for word.
SELECT '[' || group_concat(packed, ',') || ']'
FROM (
    SELECT json_array(wc_id, w_id, w_id_confirmed, nick_name, w_account, sex, avatar_url, presence, source,
                      observed_at, last_login_at, first_login_at, holder, tags, note, reason, gateway_message, device,
                      budget,
                      CASE WHEN presence = 'offline'
                           THEN (SELECT at
                                 FROM presences
                                 WHERE profile = ?1 AND presences.wc_id = accounts.wc_id
                                 ORDER BY n DESC
                                 LIMIT 1)
                      END,
                      observed_order, settled_order, first_night) AS packed
    FROM accounts
    WHERE profile = ?1
    ORDER BY CASE presence WHEN 'offline' THEN 0 WHEN 'online' THEN 2 ELSE 1 END,
             CASE WHEN trim(nick_name) <> '' THEN nick_name WHEN trim(w_account) <> '' THEN w_account ELSE wc_id END,
             wc_id
    LIMIT ?2
)
