-- Messages for other services. These tables are not in the FAF database; they belong to this server
-- alone.

-- Messages that are not delivered yet, written in the transaction that caused them and delivered in
-- the order of their numbers. No number is assigned twice, so that a message is never mistaken for
-- a delivered one.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  exchange TEXT NOT NULL,
  routing_key TEXT NOT NULL,
  body TEXT NOT NULL,
  -- Whether the message must survive a restart of the broker.
  is_persistent INTEGER NOT NULL,
  created_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

-- Number of publications of each game in the outbox, not counting its results and ratings: a
-- retried write does not add a publication twice.
CREATE TABLE game_publication (
  game_id INTEGER PRIMARY KEY,
  count INTEGER NOT NULL
) STRICT;
