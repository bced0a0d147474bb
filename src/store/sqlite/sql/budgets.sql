SELECT wc_id, budget FROM accounts INDEXED BY accounts_with_budget WHERE profile = ?1 AND budget IS NOT NULL
