SELECT n, (SELECT coalesce(max(seq), 0) FROM changes WHERE profile = n) FROM profiles WHERE id = ?1
