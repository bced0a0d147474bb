UPDATE profiles SET observer = ?2, observer_rank = ?3 WHERE n = ?1
