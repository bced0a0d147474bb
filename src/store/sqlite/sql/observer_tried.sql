UPDATE profiles
SET observer_tried = ?3, observer_failing = ?4, observer_listed = CASE WHEN ?5 THEN ?3 ELSE observer_listed END,
    observer_failing_since = CASE WHEN ?4 IS NOT NULL THEN coalesce(observer_failing_since, ?3) END
WHERE n = ?1 AND observer_boot = ?2
