INSERT INTO accounts (profile, wc_id, w_id, w_id_confirmed, nick_name, w_account, sex, avatar_url, presence, source,
                      observed_at, last_login_at, first_login_at, holder, tags, note, reason, gateway_message,
                      success_order, success_attempt, device, budget,
                      observed_order, settled_order, first_night)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)
ON CONFLICT (profile, wc_id) DO UPDATE SET
    w_id = excluded.w_id, w_id_confirmed = excluded.w_id_confirmed, nick_name = excluded.nick_name,
    w_account = excluded.w_account, sex = excluded.sex, avatar_url = excluded.avatar_url,
    presence = excluded.presence, source = excluded.source, observed_at = excluded.observed_at,
    last_login_at = excluded.last_login_at, first_login_at = excluded.first_login_at, holder = excluded.holder,
    tags = excluded.tags, note = excluded.note, reason = excluded.reason,
    gateway_message = excluded.gateway_message, success_order = excluded.success_order,
    success_attempt = excluded.success_attempt, device = excluded.device, budget = excluded.budget,
    observed_order = excluded.observed_order, settled_order = excluded.settled_order, first_night = excluded.first_night
