SELECT id, wc_id, rung, state, w_id, image_url, requested_at, deadline, owner, requested_order
FROM attempts
WHERE profile = ?1 AND id = ?2
