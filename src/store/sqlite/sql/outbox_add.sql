INSERT INTO outbox (profile, receiver, json, due, tries) VALUES (?1, ?2, ?3, ?4, 0)
