UPDATE accounts SET budget = ?3 WHERE profile = ?1 AND wc_id = ?2
