SELECT clock_from, clock_at FROM profiles WHERE n = ?1
