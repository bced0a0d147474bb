UPDATE attempts SET first_drop = 1 WHERE profile = ?1 AND id = ?2
