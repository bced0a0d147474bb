SELECT outage_order FROM profiles WHERE n = ?1
