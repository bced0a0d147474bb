SELECT id, wc_id, rung, state, w_id, image_url, requested_at, deadline, owner, requested_order,
       deadline_boot, deadline_boot_ms, first_drop
FROM attempts
WHERE profile = ?1 AND w_id = ?2
ORDER BY requested_order, id
LIMIT 1
