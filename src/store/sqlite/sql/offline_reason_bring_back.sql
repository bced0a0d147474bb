UPDATE accounts SET offline_reason_asked_at = ?2 WHERE profile = ?1 AND offline_reason_asked_at > ?2
