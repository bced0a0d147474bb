SELECT DISTINCT claimed_by FROM outbox WHERE profile = ?1 AND claimed_by IS NOT NULL
