SELECT id, receiver, json, due, tries, claimed_by
FROM outbox
WHERE profile = ?1
ORDER BY id
