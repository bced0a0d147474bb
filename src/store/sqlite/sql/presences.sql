-- One row: a JSON array of arrays, account by account, each one's turns in the order they came in. Before ?2 each
-- account's last one only: next to max(), SQLite takes the other columns from the row that has it.
WITH before AS (
    SELECT wc_id, max(at) AS at, n FROM presences WHERE profile = ?1 AND at < ?2 GROUP BY wc_id
)
SELECT '[' || group_concat(packed, ',') || ']'
FROM (
    SELECT json_array(wc_id, presences.at, presence) AS packed
    FROM presences
    LEFT JOIN before USING (wc_id)
    WHERE profile = ?1 AND presences.n >= coalesce(before.n, 0)
    ORDER BY wc_id, presences.n
)
