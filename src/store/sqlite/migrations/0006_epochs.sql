-- The observer's place. Whoever takes it raises the epoch, so that who held it before can be told. interval: how often its
-- holder asks, in milliseconds. tried, listed: on the boot clock of the start of the machine that observer_boot names, when its last
-- try ended, and the last that brought a list. failing: why the last one brought none, and since when.
ALTER TABLE profiles ADD COLUMN observer_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE profiles ADD COLUMN observer_interval INTEGER;
ALTER TABLE profiles ADD COLUMN observer_boot TEXT;
ALTER TABLE profiles ADD COLUMN observer_tried INTEGER;
ALTER TABLE profiles ADD COLUMN observer_listed INTEGER;
ALTER TABLE profiles ADD COLUMN observer_failing TEXT;
ALTER TABLE profiles ADD COLUMN observer_failing_since INTEGER;
-- Since when nobody can see the fleet, once that was told.
ALTER TABLE profiles ADD COLUMN lost_since INTEGER;
-- The mark of the token whose refusal was told, so that it is told once: a hash, never the token.
ALTER TABLE profiles ADD COLUMN dead_token TEXT;

-- Raised with each taking over.
ALTER TABLE attempts ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
