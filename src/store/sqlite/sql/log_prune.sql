DELETE FROM log
WHERE profile = ?1 AND at < ?2 AND (at < ?3 OR id <= (SELECT max(id) FROM log) - ?4)
