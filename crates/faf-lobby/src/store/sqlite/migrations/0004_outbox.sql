-- What other services are told. None of this is in the FAF database: it belongs to this server alone.

-- Messages that were not delivered yet, written in the transaction that has caused them and delivered in the order of their
-- numbers. No number is given twice, so that a message is never taken for one that was delivered.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  exchange TEXT NOT NULL,
  routing_key TEXT NOT NULL,
  body TEXT NOT NULL,
  -- Whether it must survive a restart of the broker.
  is_persistent INTEGER NOT NULL,
  created_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

-- How many publications of each game have gone into the outbox, besides its results and ratings: a write that is tried again
-- adds none twice.
CREATE TABLE game_publication (
  game_id INTEGER PRIMARY KEY,
  count INTEGER NOT NULL
) STRICT;
