UPDATE profiles SET observer_listed = ?3 WHERE n = ?1 AND observer_boot = ?2
