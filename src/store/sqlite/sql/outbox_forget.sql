DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE profile = ?1 AND receiver = ?2 AND due < ?3 LIMIT ?4)
