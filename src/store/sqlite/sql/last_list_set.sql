UPDATE profiles SET last_list_at = max(coalesce(last_list_at, ?2), ?2) WHERE n = ?1
