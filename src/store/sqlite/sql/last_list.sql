SELECT last_list_at FROM profiles WHERE n = ?1
