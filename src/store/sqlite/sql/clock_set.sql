UPDATE profiles SET clock_from = ?2, clock_at = ?3 WHERE n = ?1
