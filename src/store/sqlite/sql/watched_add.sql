INSERT INTO watched (profile, since, until) VALUES (?1, ?2, ?2) ON CONFLICT (profile, since) DO NOTHING
