-- Games that survive a restart of the server. These tables are not in the FAF database; they belong
-- to this server alone.

-- Games that were launched and are not over, as JSON. A row exists from the launch until the
-- results are stored.
CREATE TABLE live_game (
  game_id INTEGER PRIMARY KEY REFERENCES game_stats (id),
  state TEXT NOT NULL
) STRICT;

-- Decisions about the rating of a game that is over, as a JSON list. A game has a row exactly if
-- its end was stored.
CREATE TABLE game_explanation (
  game_id INTEGER PRIMARY KEY REFERENCES game_stats (id),
  decisions TEXT NOT NULL
) STRICT;

-- A game changes a rating only once. The index also serves to find the changes of a game.
CREATE UNIQUE INDEX journal_once ON leaderboard_rating_journal (game_player_stats_id, leaderboard_id);
