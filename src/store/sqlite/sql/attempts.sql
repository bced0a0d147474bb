SELECT id, wc_id, rung, state, w_id, image_url, requested_at, deadline, owner
FROM attempts
WHERE profile = ?1 AND state <> 'ended'
ORDER BY id
