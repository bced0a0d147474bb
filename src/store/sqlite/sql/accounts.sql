    -- Up to 500 of them after ?2.
    AND wc_id > ?2
    ORDER BY wc_id
    LIMIT 500
)
