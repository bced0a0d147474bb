-- When something was last written down of the profile: a line of the log, or a list.
SELECT max(
    coalesce((SELECT at FROM log WHERE profile = ?1 ORDER BY id DESC LIMIT 1), 0),
    coalesce((SELECT last_list_at FROM profiles WHERE n = ?1), 0)
)
