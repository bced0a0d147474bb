SELECT observer, observer_rank, outage_since FROM profiles WHERE n = ?1
