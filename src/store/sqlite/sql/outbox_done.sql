DELETE FROM outbox WHERE id = ?1 AND claimed_by = ?2
