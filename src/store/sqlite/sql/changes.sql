SELECT kind, wc_id
FROM changes
WHERE profile = ?1 AND seq > ?2 AND origin <> ?3
ORDER BY seq
