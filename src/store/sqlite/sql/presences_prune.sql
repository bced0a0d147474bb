-- Of what is older the last stays, and the last that came in, whatever its time: they say what was and is believed.
DELETE FROM presences
WHERE profile = ?1 AND at < ?2
  AND at < (SELECT max(at)
            FROM presences AS last
            WHERE last.profile = ?1 AND last.wc_id = presences.wc_id AND last.at <= ?2)
  AND n < (SELECT max(n) FROM presences AS last WHERE last.profile = ?1 AND last.wc_id = presences.wc_id)
