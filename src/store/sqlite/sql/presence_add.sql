-- Only a change is worth a row, and none lies before the one it follows. Of two in the same millisecond the later holds.
INSERT INTO presences (profile, wc_id, at, presence)
SELECT ?1, ?2, max(?3, coalesce(last.at, ?3)), ?4
FROM (SELECT 1)
LEFT JOIN (SELECT at, presence FROM presences WHERE profile = ?1 AND wc_id = ?2 ORDER BY at DESC LIMIT 1) AS last
WHERE coalesce(last.presence, 'unknown') <> ?4
ON CONFLICT (profile, wc_id, at) DO UPDATE SET presence = excluded.presence
