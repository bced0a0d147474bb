-- One row: a JSON array of arrays, oldest first. Before ?2 each account's last one only: next to max(), SQLite takes the
-- other columns from the row that has it.
SELECT '[' || group_concat(packed, ',') || ']'
FROM (
    SELECT json_array(wc_id, at, presence) AS packed
    FROM (
        SELECT wc_id, max(at) AS at, presence FROM presences WHERE profile = ?1 AND at < ?2 GROUP BY wc_id
        UNION ALL
        SELECT wc_id, at, presence FROM presences WHERE profile = ?1 AND at >= ?2
    )
    ORDER BY at, wc_id
)
