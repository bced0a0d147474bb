-- Like presences.sql, of the accounts that ?3 names, a JSON array.
WITH asked AS (
    SELECT wc_id, at, presence, n
    FROM presences
    WHERE profile = ?1 AND wc_id IN (SELECT value FROM json_each(?3))
), before AS (
    SELECT wc_id, max(at) AS at, n FROM asked WHERE at < ?2 GROUP BY wc_id
)
SELECT '[' || group_concat(packed, ',') || ']'
FROM (
    SELECT json_array(wc_id, asked.at, presence) AS packed
    FROM asked
    LEFT JOIN before USING (wc_id)
    WHERE asked.n >= coalesce(before.n, 0)
    ORDER BY wc_id, asked.n
)
