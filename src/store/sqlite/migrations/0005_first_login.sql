-- What became of the one drop that follows an account's first login: ahead, dropped, over; NULL: never logged in, as far
-- as is known.
ALTER TABLE accounts ADD COLUMN first_night TEXT;

-- Any login and any imported wId used to count as the first. It stays where nothing disproves it: it was a code's, and no
-- other wId and no list knew the account online before.
UPDATE accounts
SET first_login_at = NULL
WHERE first_login_at IS NOT NULL
  AND (NOT EXISTS (SELECT 1
                   FROM w_ids AS first
                   WHERE first.profile = accounts.profile AND first.wc_id = accounts.wc_id
                     AND first.source = 'login' AND first.stored_at = accounts.first_login_at)
       OR EXISTS (SELECT 1
                  FROM w_ids AS first
                  WHERE first.profile = accounts.profile AND first.wc_id = accounts.wc_id
                    AND first.source = 'login' AND first.stored_at = accounts.first_login_at
                    AND (first.previous_w_id IS NOT NULL
                         OR EXISTS (SELECT 1
                                    FROM attempts
                                    WHERE attempts.profile = first.profile AND attempts.id = first.attempt
                                      AND attempts.rung <> 'qr_login')
                         OR EXISTS (SELECT 1
                                    FROM w_ids AS before
                                    WHERE before.profile = first.profile AND before.wc_id = first.wc_id
                                      AND before.w_id <> first.w_id AND before.stored_at <= first.stored_at)
                         OR EXISTS (SELECT 1
                                    FROM presences
                                    WHERE presences.profile = first.profile AND presences.wc_id = first.wc_id
                                      AND presences.presence = 'online' AND presences.at < first.requested_at))));

-- The first drop since then, and whether the account was online after it.
UPDATE accounts
SET first_night = CASE
        WHEN drops.first IS NULL THEN 'ahead'
        WHEN accounts.presence <> 'online'
             AND drops.first <= accounts.first_login_at + 86400000
             AND (accounts.last_login_at IS NULL OR accounts.last_login_at <= drops.first)
             AND NOT EXISTS (SELECT 1
                             FROM presences
                             WHERE presences.profile = accounts.profile AND presences.wc_id = accounts.wc_id
                               AND presences.presence = 'online' AND presences.at > drops.first) THEN 'dropped'
        ELSE 'over'
    END
FROM (SELECT known.profile, known.wc_id,
             (SELECT min(at)
              FROM log
              WHERE log.profile = known.profile AND log.wc_id = known.wc_id
                AND log.event = 'dropped' AND log.at >= known.first_login_at) AS first
      FROM accounts AS known
      WHERE known.first_login_at IS NOT NULL) AS drops
WHERE drops.profile = accounts.profile AND drops.wc_id = accounts.wc_id;
