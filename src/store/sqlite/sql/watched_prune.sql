DELETE FROM watched WHERE profile = ?1 AND until < ?2
