DELETE FROM presences WHERE profile = ?1 AND wc_id = ?2
