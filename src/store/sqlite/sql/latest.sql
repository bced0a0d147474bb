-- When something was stored last, and the latest time that anything stored says it is of; NULL where nothing is stored.
WITH stored AS (
    SELECT last_list_at AS at, (SELECT at FROM log WHERE profile = ?1 ORDER BY id DESC LIMIT 1) AS last,
           (SELECT max(at) FROM log WHERE profile = ?1) AS latest
    FROM profiles
    WHERE n = ?1
)
SELECT max(coalesce(at, last), coalesce(last, at)), max(coalesce(at, latest), coalesce(latest, at)) FROM stored
