SELECT id, json, tries
FROM waiting
WHERE due <= ?3
ORDER BY id
LIMIT ?6
