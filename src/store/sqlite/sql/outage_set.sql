UPDATE profiles SET outage_since = ?2 WHERE n = ?1
