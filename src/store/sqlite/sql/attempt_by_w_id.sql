FROM attempts
WHERE profile = ?1 AND w_id = ?2
ORDER BY requested_order, id
LIMIT 1
