-- The last time goes on, if it ended after ?3; ?2 may also lie within it. One that lies ahead was noted by a clock that did.
UPDATE watched
SET until = max(until, ?2)
WHERE profile = ?1 AND since = (SELECT max(since) FROM watched WHERE profile = ?1 AND since <= ?2) AND until >= ?3
