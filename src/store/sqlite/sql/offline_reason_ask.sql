-- ?4: how long after the last time. A clock that was set back must not bar the way for years.
UPDATE accounts
SET offline_reason_asked_at = ?3
WHERE profile = ?1 AND wc_id = ?2
  AND (offline_reason_asked_at IS NULL OR abs(?3 - offline_reason_asked_at) >= ?4)
