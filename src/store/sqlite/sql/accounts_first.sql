    -- The first ?2 in the order that people see them in: worst first, then by name. It is that of the index
    -- accounts_worst_first, word for word.
    ORDER BY CASE presence WHEN 'offline' THEN 0 WHEN 'online' THEN 2 ELSE 1 END,
             CASE WHEN trim(nick_name) <> '' THEN nick_name WHEN trim(w_account) <> '' THEN w_account ELSE wc_id END,
             wc_id
    LIMIT ?2
)
