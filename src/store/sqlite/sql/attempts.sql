FROM attempts INDEXED BY attempts_under_way
WHERE profile = ?1 AND state <> 'ended'
ORDER BY id
