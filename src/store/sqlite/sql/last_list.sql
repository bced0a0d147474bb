SELECT last_list_at, last_list_order FROM profiles WHERE n = ?1
