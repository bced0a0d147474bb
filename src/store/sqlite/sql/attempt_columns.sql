-- What is read of an attempt. What follows here says of which.
SELECT id, wc_id, rung, state, w_id, image_url, requested_at, deadline, owner, requested_order,
       deadline_boot, deadline_boot_ms, first_drop
