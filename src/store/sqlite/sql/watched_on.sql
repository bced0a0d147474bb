-- The last time goes on, if it ended after ?3; ?2 may also lie within it.
UPDATE watched
SET until = max(until, ?2)
WHERE profile = ?1 AND since = (SELECT max(since) FROM watched WHERE profile = ?1) AND until >= ?3
