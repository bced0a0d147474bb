FROM attempts
WHERE profile = ?1 AND id = ?2
