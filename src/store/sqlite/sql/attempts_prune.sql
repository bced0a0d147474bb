DELETE FROM attempts WHERE profile = ?1 AND state = 'ended' AND requested_at < ?2
