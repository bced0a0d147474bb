UPDATE profiles SET observer = NULL, observer_rank = NULL, observer_failing = NULL, observer_failing_since = NULL WHERE n = ?1 AND observer = ?2
