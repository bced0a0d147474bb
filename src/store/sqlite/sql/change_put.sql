INSERT OR REPLACE INTO changes (profile, kind, wc_id, origin)
SELECT ?1, ?2, ?3, CASE WHEN old.seq IS NULL OR old.origin = ?4 OR old.seq <= ?5 THEN ?4 ELSE '' END
FROM (SELECT 1)
LEFT JOIN changes AS old ON old.profile = ?1 AND old.kind = ?2 AND old.wc_id = ?3
