SELECT id, wc_id, rung, state, w_id, image_url, requested_at, deadline, owner, requested_order,
       deadline_boot, deadline_boot_ms, first_drop
FROM attempts INDEXED BY attempts_under_way
WHERE profile = ?1 AND state <> 'ended'
ORDER BY id
