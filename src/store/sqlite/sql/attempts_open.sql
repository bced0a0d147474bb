-- The second condition says nothing new; it lets SQLite use the partial index.
SELECT id, wc_id, rung, state, w_id, image_url, requested_at, deadline, owner, requested_order,
       deadline_boot, deadline_boot_ms, first_drop
FROM attempts
WHERE profile = ?1 AND wc_id = ?2 AND state = 'open' AND state <> 'ended'
ORDER BY id
