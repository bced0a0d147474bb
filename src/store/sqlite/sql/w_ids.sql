SELECT w_id, source, confirmed, attempt, requested_at, stored_at, previous_w_id
FROM w_ids
WHERE profile = ?1 AND wc_id = ?2
ORDER BY stored_at DESC, requested_at DESC, w_id DESC
