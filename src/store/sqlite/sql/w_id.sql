SELECT source, previous_w_id FROM w_ids WHERE profile = ?1 AND wc_id = ?2 AND w_id = ?3
