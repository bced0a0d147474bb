-- ?3: the longest that a code or a dialog lives.
UPDATE attempts INDEXED BY attempts_under_way SET deadline = ?2 + ?3 WHERE profile = ?1 AND state <> 'ended' AND deadline > ?2 + ?3
