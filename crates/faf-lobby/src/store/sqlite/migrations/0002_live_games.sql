-- Games that outlive the server. None of this is in the FAF database: it belongs to this server alone.

-- Games that were launched and are not over, as JSON. A row is there from the launch until the results are.
CREATE TABLE live_game (
  game_id INTEGER PRIMARY KEY REFERENCES game_stats (id),
  state TEXT NOT NULL
) STRICT;

-- Why a game that is over was rated or not: a JSON list, step by step. A game has a row exactly if its end was stored.
CREATE TABLE game_explanation (
  game_id INTEGER PRIMARY KEY REFERENCES game_stats (id),
  decisions TEXT NOT NULL
) STRICT;

-- A game changes a rating once. Also finds what a game has changed.
CREATE UNIQUE INDEX journal_once ON leaderboard_rating_journal (game_player_stats_id, leaderboard_id);
