-- The tables of the FAF database that a lobby server reads and writes, with the same names and
-- meanings, so that a store over MariaDB can run the same operations. Times are Unix seconds (UTC).
-- Columns that are not read here are left out. Differences: names compare by login_key, since
-- SQLite ignores case only for ASCII; avatars contain their full URL.

CREATE TABLE avatars_list (
  id INTEGER PRIMARY KEY,
  url TEXT NOT NULL UNIQUE,
  tooltip TEXT
) STRICT;

CREATE TABLE login (
  id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 16777215),
  login TEXT NOT NULL CHECK (length(login) BETWEEN 1 AND 20),
  login_key TEXT NOT NULL UNIQUE,
  password TEXT NOT NULL,
  email TEXT UNIQUE COLLATE NOCASE,
  ip TEXT,
  user_agent TEXT,
  last_login INTEGER,
  avatar_id INTEGER REFERENCES avatars_list (id) ON DELETE SET NULL,
  create_time INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE avatars (
  id INTEGER PRIMARY KEY,
  idUser INTEGER NOT NULL REFERENCES login (id),
  idAvatar INTEGER NOT NULL REFERENCES avatars_list (id),
  selected INTEGER NOT NULL DEFAULT 0 CHECK (selected IN (0, 1)),
  expires_at INTEGER,
  UNIQUE (idUser, idAvatar)
) STRICT;

CREATE TABLE clan (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  tag TEXT NOT NULL UNIQUE COLLATE NOCASE CHECK (length(tag) <= 3)
) STRICT;

CREATE TABLE clan_membership (
  id INTEGER PRIMARY KEY,
  clan_id INTEGER NOT NULL REFERENCES clan (id),
  player_id INTEGER NOT NULL UNIQUE REFERENCES login (id)
) STRICT;

CREATE TABLE friends_and_foes (
  user_id INTEGER NOT NULL REFERENCES login (id),
  subject_id INTEGER NOT NULL REFERENCES login (id),
  status TEXT CHECK (status IN ('FRIEND', 'FOE')),
  PRIMARY KEY (user_id, subject_id),
  CHECK (user_id <> subject_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_group (
  id INTEGER PRIMARY KEY,
  technical_name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE user_group_assignment (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES login (id),
  group_id INTEGER NOT NULL REFERENCES user_group (id),
  UNIQUE (user_id, group_id)
) STRICT;

CREATE TABLE group_permission (
  id INTEGER PRIMARY KEY,
  technical_name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE group_permission_assignment (
  id INTEGER PRIMARY KEY,
  group_id INTEGER NOT NULL REFERENCES user_group (id),
  permission_id INTEGER NOT NULL REFERENCES group_permission (id),
  UNIQUE (group_id, permission_id)
) STRICT;

CREATE TABLE ban (
  id INTEGER PRIMARY KEY,
  player_id INTEGER NOT NULL REFERENCES login (id),
  author_id INTEGER REFERENCES login (id),
  reason TEXT NOT NULL,
  expires_at INTEGER,
  level TEXT NOT NULL CHECK (level IN ('CHAT', 'GLOBAL', 'VAULT')),
  revoke_time INTEGER,
  create_time INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;
CREATE INDEX ban_player ON ban (player_id);

CREATE VIEW lobby_ban AS
  SELECT player_id AS idUser, reason,
         coalesce(revoke_time, expires_at, unixepoch('2999-12-31')) AS expires_at
  FROM ban WHERE level = 'GLOBAL';

CREATE TABLE game_validity (
  id INTEGER PRIMARY KEY,
  message TEXT NOT NULL
) STRICT;

CREATE TABLE game_featuredMods (
  id INTEGER PRIMARY KEY,
  gamemod TEXT NOT NULL UNIQUE COLLATE NOCASE,
  name TEXT NOT NULL,
  publish INTEGER NOT NULL DEFAULT 0,
  "order" INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE map (
  id INTEGER PRIMARY KEY,
  display_name TEXT NOT NULL UNIQUE,
  times_played INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE map_version (
  id INTEGER PRIMARY KEY,
  map_id INTEGER NOT NULL REFERENCES map (id),
  version INTEGER NOT NULL,
  folder_name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  filename TEXT GENERATED ALWAYS AS ('maps/' || folder_name || '.zip') VIRTUAL,
  ranked INTEGER NOT NULL DEFAULT 1,
  hidden INTEGER NOT NULL DEFAULT 0,
  max_players INTEGER,
  width INTEGER,
  height INTEGER,
  times_played INTEGER NOT NULL DEFAULT 0,
  UNIQUE (map_id, version)
) STRICT;

CREATE TABLE map_pool (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL
) STRICT;

CREATE TABLE map_pool_map_version (
  id INTEGER PRIMARY KEY,
  map_pool_id INTEGER NOT NULL REFERENCES map_pool (id),
  map_version_id INTEGER REFERENCES map_version (id),
  weight INTEGER NOT NULL DEFAULT 1,
  map_params TEXT
) STRICT;

CREATE TABLE leaderboard (
  id INTEGER PRIMARY KEY,
  technical_name TEXT NOT NULL UNIQUE,
  initializer_id INTEGER REFERENCES leaderboard (id)
) STRICT;

CREATE TABLE matchmaker_queue (
  id INTEGER PRIMARY KEY,
  technical_name TEXT NOT NULL UNIQUE,
  featured_mod_id INTEGER NOT NULL REFERENCES game_featuredMods (id),
  leaderboard_id INTEGER NOT NULL REFERENCES leaderboard (id),
  team_size INTEGER NOT NULL DEFAULT 1,
  params TEXT,
  enabled INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE matchmaker_queue_map_pool (
  id INTEGER PRIMARY KEY,
  matchmaker_queue_id INTEGER NOT NULL REFERENCES matchmaker_queue (id),
  map_pool_id INTEGER NOT NULL REFERENCES map_pool (id),
  min_rating INTEGER,
  max_rating INTEGER,
  veto_tokens_per_player INTEGER NOT NULL DEFAULT 0,
  max_tokens_per_map INTEGER NOT NULL DEFAULT 0,
  minimum_maps_after_veto REAL NOT NULL DEFAULT 1 CHECK (minimum_maps_after_veto > 0)
) STRICT;

CREATE TABLE game_stats (
  id INTEGER PRIMARY KEY,
  startTime INTEGER NOT NULL DEFAULT (unixepoch()),
  endTime INTEGER,
  gameType TEXT NOT NULL
    CHECK (gameType IN ('DEMORALIZATION', 'DOMINATION', 'ERADICATION', 'SANDBOX', 'DECAPITATION')),
  gameMod INTEGER NOT NULL REFERENCES game_featuredMods (id),
  host INTEGER NOT NULL REFERENCES login (id),
  mapId INTEGER REFERENCES map_version (id),
  gameName TEXT NOT NULL CHECK (length(gameName) <= 128),
  validity INTEGER NOT NULL REFERENCES game_validity (id)
) STRICT;
CREATE INDEX game_stats_startTime ON game_stats (startTime);

CREATE TABLE game_player_stats (
  id INTEGER PRIMARY KEY,
  gameId INTEGER NOT NULL REFERENCES game_stats (id),
  playerId INTEGER NOT NULL REFERENCES login (id),
  AI INTEGER NOT NULL DEFAULT 0,
  faction INTEGER NOT NULL,
  color INTEGER NOT NULL,
  team INTEGER NOT NULL,
  place INTEGER NOT NULL,
  mean REAL NOT NULL,
  deviation REAL NOT NULL,
  after_mean REAL,
  after_deviation REAL,
  score INTEGER CHECK (score BETWEEN -128 AND 127),
  scoreTime INTEGER,
  result TEXT DEFAULT 'UNKNOWN'
    CHECK (result IN ('VICTORY', 'DEFEAT', 'DRAW', 'MUTUAL_DRAW', 'UNKNOWN', 'CONFLICTING'))
) STRICT;
CREATE INDEX game_player_stats_game ON game_player_stats (gameId, playerId);
CREATE INDEX game_player_stats_player ON game_player_stats (playerId);

CREATE TABLE matchmaker_queue_game (
  matchmaker_queue_id INTEGER NOT NULL REFERENCES matchmaker_queue (id),
  game_stats_id INTEGER NOT NULL REFERENCES game_stats (id),
  PRIMARY KEY (game_stats_id, matchmaker_queue_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE leaderboard_rating (
  id INTEGER PRIMARY KEY,
  login_id INTEGER NOT NULL REFERENCES login (id),
  leaderboard_id INTEGER NOT NULL REFERENCES leaderboard (id),
  mean REAL NOT NULL,
  deviation REAL NOT NULL,
  rating REAL GENERATED ALWAYS AS (mean - 3 * deviation) STORED,
  total_games INTEGER NOT NULL DEFAULT 0,
  won_games INTEGER NOT NULL DEFAULT 0,
  UNIQUE (login_id, leaderboard_id)
) STRICT;

CREATE TABLE leaderboard_rating_journal (
  id INTEGER PRIMARY KEY,
  game_player_stats_id INTEGER NOT NULL REFERENCES game_player_stats (id),
  leaderboard_id INTEGER NOT NULL REFERENCES leaderboard (id),
  rating_mean_before REAL NOT NULL,
  rating_deviation_before REAL NOT NULL,
  rating_mean_after REAL NOT NULL,
  rating_deviation_after REAL NOT NULL,
  create_time INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;
CREATE INDEX journal_lookup ON leaderboard_rating_journal (leaderboard_id, id);

CREATE TABLE teamkills (
  id INTEGER PRIMARY KEY,
  teamkiller INTEGER NOT NULL REFERENCES login (id),
  victim INTEGER NOT NULL REFERENCES login (id),
  game_id INTEGER NOT NULL,
  gametime INTEGER NOT NULL,
  reported_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE game_join_log (
  id INTEGER PRIMARY KEY,
  player_id INTEGER NOT NULL REFERENCES login (id),
  game_id INTEGER NOT NULL,
  ip TEXT,
  create_time INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE game_desync (
  game_id INTEGER NOT NULL REFERENCES game_stats (id),
  player_id INTEGER NOT NULL REFERENCES login (id),
  reported_at INTEGER NOT NULL DEFAULT (unixepoch()),
  game_time INTEGER,
  PRIMARY KEY (game_id, player_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE coop_map (
  id INTEGER PRIMARY KEY,
  type INTEGER NOT NULL,
  name TEXT,
  description TEXT,
  version INTEGER,
  filename TEXT COLLATE NOCASE
) STRICT;
CREATE INDEX coop_map_filename ON coop_map (filename);

CREATE TABLE coop_leaderboard (
  id INTEGER PRIMARY KEY,
  mission INTEGER NOT NULL,
  gameuid INTEGER UNIQUE REFERENCES game_stats (id),
  secondary INTEGER NOT NULL,
  time TEXT NOT NULL,
  player_count INTEGER NOT NULL
) STRICT;

CREATE TABLE mod (
  id INTEGER PRIMARY KEY,
  display_name TEXT NOT NULL UNIQUE,
  author TEXT NOT NULL
) STRICT;

CREATE TABLE mod_version (
  id INTEGER PRIMARY KEY,
  mod_id INTEGER NOT NULL REFERENCES mod (id),
  uid TEXT NOT NULL UNIQUE COLLATE NOCASE,
  type TEXT NOT NULL CHECK (type IN ('UI', 'SIM')),
  description TEXT NOT NULL,
  version INTEGER NOT NULL,
  filename TEXT NOT NULL UNIQUE,
  icon TEXT,
  ranked INTEGER NOT NULL DEFAULT 0,
  hidden INTEGER NOT NULL DEFAULT 0,
  create_time INTEGER NOT NULL DEFAULT (unixepoch()),
  UNIQUE (mod_id, version)
) STRICT;

CREATE TABLE mod_stats (
  mod_id INTEGER PRIMARY KEY REFERENCES mod (id),
  likes REAL NOT NULL DEFAULT 0,
  likers TEXT NOT NULL DEFAULT '[]',
  downloads INTEGER NOT NULL DEFAULT 0,
  times_played INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE VIEW table_mod AS
  SELECT v.id, v.uid, m.display_name AS name, v.version, m.author, (v.type = 'UI') AS ui, v.create_time AS date,
         coalesce(s.downloads, 0) AS downloads, coalesce(s.likes, 0.0) AS likes,
         coalesce(s.times_played, 0) AS played, v.description, coalesce(s.likers, '[]') AS likers, v.filename,
         coalesce(v.icon, '') AS icon, v.ranked
  FROM mod m JOIN mod_version v ON v.mod_id = m.id LEFT JOIN mod_stats s ON s.mod_id = m.id
  WHERE v.hidden = 0;

CREATE TRIGGER map_play_count AFTER INSERT ON game_stats WHEN NEW.mapId IS NOT NULL BEGIN
  UPDATE map_version SET times_played = times_played + 1 WHERE id = NEW.mapId;
  UPDATE map SET times_played = times_played + 1
   WHERE id = (SELECT map_id FROM map_version WHERE id = NEW.mapId);
END;

-- Records that every lobby needs.

INSERT INTO game_validity (id, message) VALUES
  (0, 'VALID'), (1, 'TOO_MANY_DESYNCS'), (2, 'WRONG_VICTORY_CONDITION'), (3, 'NO_FOG_OF_WAR'),
  (4, 'CHEATS_ENABLED'), (5, 'PREBUILT_ENABLED'), (6, 'NORUSH_ENABLED'), (7, 'BAD_UNIT_RESTRICTIONS'),
  (8, 'BAD_MAP'), (9, 'TOO_SHORT'), (10, 'BAD_MOD'), (11, 'COOP_NOT_RANKED'), (12, 'MUTUAL_DRAW'),
  (13, 'SINGLE_PLAYER'), (14, 'FFA_NOT_RANKED'), (15, 'UNEVEN_TEAMS_NOT_RANKED'), (16, 'UNKNOWN_RESULT'),
  (17, 'UNLOCKED_TEAMS'), (18, 'MULTI_TEAM'), (19, 'HAS_AI_PLAYERS'), (20, 'CIVILIANS_REVEALED'),
  (21, 'WRONG_DIFFICULTY'), (22, 'EXPANSION_DISABLED'), (23, 'SPAWN_NOT_FIXED'), (24, 'OTHER_UNRANK'),
  (25, 'HOST_SET_UNRANKED');

INSERT INTO game_featuredMods (id, gamemod, name, publish) VALUES (0, 'faf', 'FAF', 1), (25, 'coop', 'Coop', 1);

INSERT INTO leaderboard (id, technical_name) VALUES (1, 'global'), (2, 'ladder_1v1');

INSERT INTO user_group (id, technical_name) VALUES (1, 'faf_server_administrators'), (2, 'faf_moderators_global');

INSERT INTO group_permission (id, technical_name) VALUES
  (22, 'ADMIN_KICK_SERVER'), (23, 'ADMIN_BROADCAST_MESSAGE'), (24, 'ADMIN_JOIN_CHANNEL');

INSERT INTO group_permission_assignment (group_id, permission_id) VALUES (1, 22), (1, 23), (1, 24), (2, 22);
