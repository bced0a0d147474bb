-- device: V3's device and network as JSON, with an own proxy's password: as secret as the file. budget: what the account
-- has cost lately, as JSON. Both are NULL where there is nothing to say.
ALTER TABLE accounts ADD COLUMN device TEXT;
ALTER TABLE accounts ADD COLUMN budget TEXT;
ALTER TABLE accounts ADD COLUMN offline_reason_asked_at INTEGER;

-- The observer is an owner; whether it lives is asked of its lock, so a dead one's name does no harm here.
ALTER TABLE profiles ADD COLUMN observer TEXT;
ALTER TABLE profiles ADD COLUMN observer_rank INTEGER;
ALTER TABLE profiles ADD COLUMN outage_since INTEGER;

-- Who or what caused it; NULL in lines of an older saoma.
ALTER TABLE log ADD COLUMN cause TEXT;

CREATE INDEX log_by_time ON log (profile, at);
DROP INDEX log_by_account;
CREATE INDEX log_by_account ON log (profile, wc_id, at);
-- Drops are counted over a month, for the whole fleet too.
CREATE INDEX log_drops ON log (profile, at, wc_id) WHERE event = 'dropped';

-- What was believed of an account since when. Nothing before an account's first row: unknown.
CREATE TABLE presences (
    profile  INTEGER NOT NULL REFERENCES profiles (n),
    wc_id    TEXT NOT NULL,
    at       INTEGER NOT NULL,
    presence TEXT NOT NULL,
    PRIMARY KEY (profile, wc_id, at)
) STRICT, WITHOUT ROWID;

-- 31 days are kept, a little more than a month's figures need, and of what is older the last: it says what was believed
-- then. A trigger, because it runs with every turn of thousands of accounts.
CREATE TRIGGER presences_kept AFTER INSERT ON presences
BEGIN
    DELETE FROM presences
    WHERE profile = new.profile AND wc_id = new.wc_id
      AND at < (SELECT max(at)
                FROM presences
                WHERE profile = new.profile AND wc_id = new.wc_id AND at <= new.at - 31 * 86400000);
END;

INSERT INTO presences (profile, wc_id, at, presence)
SELECT profile, wc_id, observed_at, presence
FROM accounts
WHERE presence <> 'unknown' AND observed_at IS NOT NULL;

-- When the fleet was looked at: from the first to the last of lists that followed each other closely. What was believed
-- outside of these times was believed without anybody looking.
CREATE TABLE watched (
    profile INTEGER NOT NULL REFERENCES profiles (n),
    since   INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    PRIMARY KEY (profile, since)
) STRICT, WITHOUT ROWID;
