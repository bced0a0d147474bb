UPDATE outbox SET tries = tries + 1, due = ?2, claimed_by = NULL WHERE id = ?1 AND claimed_by = ?3
