UPDATE profiles SET lost_since = ?2 WHERE n = ?1
