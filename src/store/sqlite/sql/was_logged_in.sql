-- Whether the account has another wId than the login's own (?3, and ?5 if the gateway had called it otherwise), whoever
-- told it, also from before the account was removed; or an imported one; or was online before the login. What is of the
-- time between its request and its end (?4, ?6) was its own doing; what lies ahead of both is of a clock that was.
SELECT EXISTS (SELECT 1
               FROM w_ids
               WHERE profile = ?1 AND wc_id = ?2 AND (source = 'import' OR (w_id <> ?3 AND w_id IS NOT ?5)))
    OR EXISTS (SELECT 1
               FROM presences
               WHERE profile = ?1 AND wc_id = ?2 AND presence = 'online' AND at NOT BETWEEN ?4 AND ?6)
