-- Whom an event is about, '' for what is about all: a receiver is told of each subject in the order things happened, so
-- of each only the oldest row can be told. The index finds these without reading what waits behind them.
ALTER TABLE outbox ADD COLUMN subject TEXT NOT NULL
    GENERATED ALWAYS AS (CASE WHEN json_valid(json) THEN coalesce(json ->> '$.wc_id', '') ELSE '' END) VIRTUAL;
CREATE INDEX outbox_heads ON outbox (profile, receiver, subject, id);
CREATE INDEX outbox_claimed ON outbox (profile, claimed_by) WHERE claimed_by IS NOT NULL;
