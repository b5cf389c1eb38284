-- What operators and a running server tell each other through the database. None of this is in the FAF database.

-- The server writes this row every few seconds, to find out whether anything can be written.
CREATE TABLE heartbeat (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  beats INTEGER NOT NULL
) STRICT;
INSERT INTO heartbeat VALUES (1, 0);

-- What shall become of somebody who may be online. The running server looks here every second, and writes down what has come of
-- it; those that no server has taken are forgotten when one starts, since nobody is online then.
CREATE TABLE operator_order (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  player_id INTEGER NOT NULL,
  -- 'ban': look whether a ban is in force; 'kick': end the connection
  action TEXT NOT NULL,
  -- Shown to a player who is kicked.
  reason TEXT NOT NULL DEFAULT '',
  ordered_at INTEGER NOT NULL DEFAULT (unixepoch()),
  -- 'online' or 'offline', how the player was found; none while no server has taken it.
  found TEXT
) STRICT;

-- However a ban comes into the database, a running server hears of it.
CREATE TRIGGER ban_is_made AFTER INSERT ON ban WHEN new.level = 'GLOBAL' BEGIN
  INSERT INTO operator_order (player_id, action) VALUES (new.player_id, 'ban');
END;
CREATE TRIGGER ban_is_changed AFTER UPDATE ON ban WHEN new.level = 'GLOBAL' BEGIN
  INSERT INTO operator_order (player_id, action) VALUES (new.player_id, 'ban');
END;

-- The key with which the server signs tokens of its own; made when the first one is.
CREATE TABLE own_key (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  key BLOB NOT NULL
) STRICT;
