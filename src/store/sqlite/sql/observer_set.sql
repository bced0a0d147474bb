UPDATE profiles
SET observer = ?2, observer_rank = ?3, observer_epoch = observer_epoch + 1, observer_interval = ?4,
    observer_listed = CASE WHEN observer IS NOT NULL AND observer_boot = ?5 THEN coalesce(observer_listed, ?6) ELSE ?6 END,
    observer_boot = ?5, observer_tried = ?6, observer_failing = NULL, observer_failing_since = NULL
WHERE n = ?1
RETURNING observer_epoch
