SELECT since, until FROM watched WHERE profile = ?1 AND until >= ?2 ORDER BY since
