UPDATE w_ids SET confirmed = 1 WHERE profile = ?1 AND wc_id = ?2 AND w_id = ?3
