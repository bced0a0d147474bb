UPDATE profiles SET observer = NULL, observer_rank = NULL WHERE n = ?1 AND observer = ?2
