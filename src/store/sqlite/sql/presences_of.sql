-- Like presences.sql, of the accounts that ?3 names, a JSON array.
SELECT '[' || group_concat(packed, ',') || ']'
FROM (
    SELECT json_array(wc_id, at, presence) AS packed
    FROM (
        SELECT wc_id, max(at) AS at, presence
        FROM presences
        WHERE profile = ?1 AND wc_id IN (SELECT value FROM json_each(?3)) AND at < ?2
        GROUP BY wc_id
        UNION ALL
        SELECT wc_id, at, presence
        FROM presences
        WHERE profile = ?1 AND wc_id IN (SELECT value FROM json_each(?3)) AND at >= ?2
    )
    ORDER BY at, wc_id
)
