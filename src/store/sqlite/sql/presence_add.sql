-- Only a change is worth a row. What was asked a moment before the last change and answered after it holds since that
-- one; further back only a clock goes that was set.
INSERT INTO presences (profile, wc_id, n, at, presence)
SELECT ?1, ?2, coalesce(last.n, 0) + 1, CASE WHEN last.at BETWEEN ?3 AND ?3 + 60000 THEN last.at ELSE ?3 END, ?4
FROM (SELECT 1)
LEFT JOIN (
    SELECT n, at, presence FROM presences WHERE profile = ?1 AND wc_id = ?2 ORDER BY n DESC LIMIT 1
) AS last
WHERE coalesce(last.presence, 'unknown') <> ?4
