-- Rows of a profile's accounts as one JSON array of arrays, and the last wcId in it. What follows here says which.
SELECT '[' || group_concat(packed, ',') || ']', max(wc_id)
FROM (
    SELECT wc_id,
           json_array(wc_id, w_id, w_id_confirmed, nick_name, w_account, sex, avatar_url, presence, source,
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
