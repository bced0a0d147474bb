UPDATE profiles SET outage_since = ?2, outage_order = ?3 WHERE n = ?1
