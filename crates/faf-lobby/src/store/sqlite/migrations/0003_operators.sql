-- Messages between operators and a running server. These tables are not in the FAF database.

-- The server writes this row every few seconds, to find out whether the database can be written to.
CREATE TABLE heartbeat (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  beats INTEGER NOT NULL
) STRICT;
INSERT INTO heartbeat VALUES (1, 0);

-- Actions on players who may be online. The running server reads this table every second and writes
-- the outcome; orders that no server has carried out are deleted when a server starts, since nobody
-- is online then.
CREATE TABLE operator_order (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  player_id INTEGER NOT NULL,
  -- 'ban': check whether a ban is in force; 'kick': end the connection
  action TEXT NOT NULL,
  -- Sent to a player who is kicked.
  reason TEXT NOT NULL DEFAULT '',
  ordered_at INTEGER NOT NULL DEFAULT (unixepoch()),
  -- Whether the player was 'online' or 'offline'; NULL until a server has carried out the order.
  found TEXT
) STRICT;

-- A running server is notified of every new ban, regardless of the program that adds it.
CREATE TRIGGER ban_is_made AFTER INSERT ON ban WHEN new.level = 'GLOBAL' BEGIN
  INSERT INTO operator_order (player_id, action) VALUES (new.player_id, 'ban');
END;
CREATE TRIGGER ban_is_changed AFTER UPDATE ON ban WHEN new.level = 'GLOBAL' BEGIN
  INSERT INTO operator_order (player_id, action) VALUES (new.player_id, 'ban');
END;

-- The key with which the server signs its own tokens; created with the first token.
CREATE TABLE own_key (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  key BLOB NOT NULL
) STRICT;
