-- Every row belongs to a profile: the platform account at one gateway (design.md §2).
CREATE TABLE profiles (
    n            INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    last_list_at INTEGER
) STRICT;

-- success_at and success_attempt: when the request of the newest stored success was started, and whose it was.
-- A success of an attempt requested before that one does not become current.
CREATE TABLE accounts (
    profile         INTEGER NOT NULL REFERENCES profiles (n),
    wc_id           TEXT NOT NULL,
    w_id            TEXT,
    w_id_confirmed  INTEGER NOT NULL,
    nick_name       TEXT NOT NULL,
    w_account       TEXT NOT NULL,
    sex             INTEGER,
    avatar_url      TEXT NOT NULL,
    presence        TEXT NOT NULL,
    source          TEXT,
    observed_at     INTEGER,
    last_login_at   INTEGER,
    first_login_at  INTEGER,
    holder          TEXT NOT NULL,
    tags            TEXT NOT NULL,
    note            TEXT NOT NULL,
    reason          TEXT,
    gateway_message TEXT,
    success_at      INTEGER,
    success_attempt TEXT,
    PRIMARY KEY (profile, wc_id)
) STRICT, WITHOUT ROWID;

-- The order that people see accounts in, so that a first screen of 10,000 costs what one of 10 costs. The presence stands
-- at the end for those who only count.
CREATE INDEX accounts_worst_first ON accounts (
    profile,
    CASE presence WHEN 'offline' THEN 0 WHEN 'online' THEN 2 ELSE 1 END,
    CASE WHEN trim(nick_name) <> '' THEN nick_name WHEN trim(w_account) <> '' THEN w_account ELSE wc_id END,
    wc_id,
    presence
);

-- Every wId an account ever had, also of accounts that were removed.
-- source: login, adopted (a list showed it), list (the account came with it), import.
CREATE TABLE w_ids (
    profile       INTEGER NOT NULL REFERENCES profiles (n),
    wc_id         TEXT NOT NULL,
    w_id          TEXT NOT NULL,
    source        TEXT NOT NULL,
    confirmed     INTEGER NOT NULL,
    attempt       TEXT,
    requested_at  INTEGER,
    stored_at     INTEGER NOT NULL,
    previous_w_id TEXT,
    PRIMARY KEY (profile, wc_id, w_id)
) STRICT, WITHOUT ROWID;

-- image_url is as secret as the payload of the code; it is set to NULL when the attempt ends.
CREATE TABLE attempts (
    id           TEXT PRIMARY KEY,
    profile      INTEGER NOT NULL REFERENCES profiles (n),
    wc_id        TEXT,
    rung         TEXT NOT NULL,
    state        TEXT NOT NULL,
    w_id         TEXT,
    image_url    TEXT,
    requested_at INTEGER NOT NULL,
    deadline     INTEGER,
    owner        TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_under_way ON attempts (profile, wc_id) WHERE state <> 'ended';
CREATE INDEX attempts_by_w_id ON attempts (profile, w_id);

CREATE TABLE log (
    id              INTEGER PRIMARY KEY,
    profile         INTEGER NOT NULL REFERENCES profiles (n),
    at              INTEGER NOT NULL,
    wc_id           TEXT,
    event           TEXT NOT NULL,
    reason          TEXT,
    gateway_message TEXT,
    w_id            TEXT
) STRICT;

-- An index ends in the row's id, so it also gives the order.
CREATE INDEX log_of_profile ON log (profile);
CREATE INDEX log_by_account ON log (profile, wc_id);

-- The change feed: at most one row per subject, which moves to a new seq with every change, so the table needs no
-- pruning and no reader can miss what is in it. kind: 0 account, 1 attempts, 2 fleet list.
-- origin: the owner all of whose unread changes this row stands for, or '' when there are several.
CREATE TABLE changes (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    profile INTEGER NOT NULL REFERENCES profiles (n),
    kind    INTEGER NOT NULL,
    wc_id   TEXT NOT NULL,
    origin  TEXT NOT NULL,
    UNIQUE (profile, kind, wc_id)
) STRICT;

CREATE INDEX changes_of_profile ON changes (profile, seq);

-- claimed_by: the owner that is telling the receiver right now.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    profile    INTEGER NOT NULL REFERENCES profiles (n),
    receiver   TEXT NOT NULL,
    json       TEXT NOT NULL,
    due        INTEGER NOT NULL,
    tries      INTEGER NOT NULL,
    claimed_by TEXT
) STRICT;
