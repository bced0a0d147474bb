FROM attempts
-- The second condition on the state says nothing new; it lets SQLite use the partial index.
WHERE profile = ?1 AND wc_id = ?2 AND state = 'open' AND state <> 'ended'
ORDER BY id
