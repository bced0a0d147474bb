SELECT observer, observer_rank, observer_epoch, observer_interval, observer_boot, observer_tried, observer_listed,
       observer_failing, observer_failing_since, outage_since, outage_order, lost_since
FROM profiles
WHERE n = ?1
