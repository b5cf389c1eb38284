//! Everything that is stored of one game, for operators who want to know why it was rated or not.

use faf_lobby_core::{Decision, Game};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};
use rusqlite::{Row, Transaction};

use super::games::live_state;
use super::launched_game::{LaunchedGame, launched_game};
use super::{Store, StoreError, game_end};

/// A game that was launched, with everything that was stored of it.
#[derive(Debug, Clone, PartialEq)]
pub struct GameRecord {
    /// What lists of games show of it, too.
    pub game: LaunchedGame,
    /// Its players, by team and place.
    pub players: Vec<PlayerRecord>,
    /// Why it is rated or not, step by step; none if that was not stored, or cannot be read.
    pub decisions: Option<Vec<Decision>>,
}

/// How one player fared.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayerRecord {
    /// Who.
    pub player: PlayerId,
    /// Name of the account.
    pub login: String,
    /// Number of the team; 1 is none.
    pub team: i64,
    /// Name of the outcome.
    pub result: Option<String>,
    /// Score.
    pub score: Option<i64>,
    /// What the game has made of ratings.
    pub ratings: Vec<RecordedRating>,
}

/// How a rating has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedRating {
    /// Technical name of the leaderboard.
    pub leaderboard: String,
    /// Before the game.
    pub before: Rating,
    /// After the game.
    pub after: Rating,
}

impl Store {
    /// Everything that is stored of a game; nothing if it was never launched.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn game_record(&self, id: GameId) -> Result<Option<GameRecord>, StoreError> {
        self.read(move |t| {
            let Some(game) = launched_game(t, id)? else { return Ok(None) };
            let decisions = match live_state(t, id)? {
                Some(state) => serde_json::from_str(&state).ok().map(|game: Game| game.decisions().to_vec()),
                None => game_end::decisions(t, id)?,
            };
            Ok(Some(GameRecord { game, players: players(t, id)?, decisions }))
        })
        .await
    }
}

fn players(t: &Transaction<'_>, id: GameId) -> rusqlite::Result<Vec<PlayerRecord>> {
    let mut ratings = t.prepare(
        "SELECT technical_name, rating_mean_before, rating_deviation_before, rating_mean_after,
                rating_deviation_after
         FROM leaderboard_rating_journal j JOIN leaderboard l ON l.id = j.leaderboard_id
         WHERE game_player_stats_id = ?1 ORDER BY j.id",
    )?;
    let rating = |row: &Row<'_>| {
        Ok(RecordedRating {
            leaderboard: row.get(0)?,
            before: Rating { mean: row.get(1)?, deviation: row.get(2)? },
            after: Rating { mean: row.get(3)?, deviation: row.get(4)? },
        })
    };
    let mut players = t.prepare(
        "SELECT p.id, playerId, login, team, result, score FROM game_player_stats p JOIN login l ON l.id = playerId
         WHERE gameId = ?1 ORDER BY team, place, p.id",
    )?;
    let read = |row: &Row<'_>| {
        let number: i64 = row.get(0)?;
        Ok(PlayerRecord {
            player: PlayerId(row.get(1)?),
            login: row.get(2)?,
            team: row.get(3)?,
            result: row.get(4)?,
            score: row.get(5)?,
            ratings: ratings.query_map([number], rating)?.collect::<Result<_, _>>()?,
        })
    };
    players.query_map([id.0], read)?.collect()
}
