INSERT INTO attempts (id, profile, wc_id, rung, state, w_id, requested_at, deadline, owner, requested_order,
                      deadline_boot, deadline_boot_ms, first_drop)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
