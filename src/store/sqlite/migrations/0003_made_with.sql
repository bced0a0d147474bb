-- What V3 was told of device and network when the attempt's phone was asked, as JSON like the account's; NULL in other
-- dialects. Another process that hears of the success remembers it for the account. Erased with the attempt's end.
ALTER TABLE attempts ADD COLUMN device TEXT;
