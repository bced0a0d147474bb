UPDATE profiles SET last_list_at = ?2, last_list_order = ?3 WHERE n = ?1 AND last_list_order <= ?3
