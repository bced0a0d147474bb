DELETE FROM accounts WHERE profile = ?1 AND wc_id = ?2
