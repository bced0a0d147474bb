-- deadline once more, on the boot clock of the start of the machine that boot names: the wall clock may be set meanwhile.
ALTER TABLE attempts ADD COLUMN deadline_boot TEXT;
ALTER TABLE attempts ADD COLUMN deadline_boot_ms INTEGER;

-- Whether the list that was asked before found the account off line by its first drop, of which nothing is noted yet.
ALTER TABLE attempts ADD COLUMN first_drop INTEGER NOT NULL DEFAULT 0;
