UPDATE profiles SET dead_token = ?2 WHERE n = ?1 AND dead_token IS NOT ?2
