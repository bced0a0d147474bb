-- What a login said of a wId is not overwritten when a list shows that wId once more.
INSERT INTO w_ids (profile, wc_id, w_id, source, confirmed, attempt, requested_at, stored_at, previous_w_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (profile, wc_id, w_id) DO UPDATE SET
    source = excluded.source, confirmed = max(confirmed, excluded.confirmed),
    attempt = coalesce(excluded.attempt, attempt), requested_at = coalesce(excluded.requested_at, requested_at),
    stored_at = excluded.stored_at
WHERE source <> 'login'
