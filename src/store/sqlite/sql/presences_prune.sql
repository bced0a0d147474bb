-- The last one before ?3 stays: it says what was believed at that time.
DELETE FROM presences
WHERE profile = ?1 AND wc_id = ?2
  AND at < (SELECT max(at) FROM presences WHERE profile = ?1 AND wc_id = ?2 AND at <= ?3)
