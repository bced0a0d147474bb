-- What came before what is told by the numbers of the change feed and not by a clock, which may have been ahead. Of what
-- is here already nobody knows better than that it came before everything to come: 0. The times stay as they are: those
-- that lie ahead count as now where they are read. success_at is not used any more.
ALTER TABLE accounts ADD COLUMN observed_order INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN settled_order INTEGER NOT NULL DEFAULT 0;

-- The request of the newest success; success_attempt is whose it was, or NULL where lists showed the wId.
ALTER TABLE accounts ADD COLUMN success_order INTEGER;
UPDATE accounts SET success_order = 0 WHERE success_attempt IS NOT NULL;

ALTER TABLE attempts ADD COLUMN requested_order INTEGER NOT NULL DEFAULT 0;

-- clock_from, clock_at: from when to when the clock has gone on without a jump, by what was written.
ALTER TABLE profiles ADD COLUMN last_list_order INTEGER NOT NULL DEFAULT 0;
ALTER TABLE profiles ADD COLUMN outage_order INTEGER NOT NULL DEFAULT 0;
ALTER TABLE profiles ADD COLUMN clock_from INTEGER;
ALTER TABLE profiles ADD COLUMN clock_at INTEGER;

-- The turns of an account's belief, counted: the order they came in, whatever their times. The trigger that kept a month
-- of them goes with the old table: it went by the time of the row that came in.
CREATE TABLE turns (
    profile  INTEGER NOT NULL REFERENCES profiles (n),
    wc_id    TEXT NOT NULL,
    n        INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    presence TEXT NOT NULL,
    PRIMARY KEY (profile, wc_id, n)
) STRICT, WITHOUT ROWID;
INSERT INTO turns (profile, wc_id, n, at, presence)
SELECT profile, wc_id, row_number() OVER (PARTITION BY profile, wc_id ORDER BY at), at, presence
FROM presences;
DROP TABLE presences;
ALTER TABLE turns RENAME TO presences;

-- Few accounts have these, and they are looked at whenever a clock may have been set back.
CREATE INDEX accounts_with_budget ON accounts (profile) WHERE budget IS NOT NULL;
CREATE INDEX accounts_asked ON accounts (profile, offline_reason_asked_at) WHERE offline_reason_asked_at IS NOT NULL;
