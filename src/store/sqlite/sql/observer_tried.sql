UPDATE profiles
SET observer_tried = ?3, observer_failing = ?4, observer_listed = CASE WHEN ?5 THEN ?3 ELSE observer_listed END
WHERE n = ?1 AND observer_boot = ?2
