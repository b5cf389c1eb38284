//! Ratings, changed in the transaction of the game's end (ratings.md section 5).

use std::collections::BTreeMap;

use faf_lobby_core::RatedGame;
use faf_lobby_core::ratings::{Leaderboards, RatingChange};
use faf_lobby_core::results::Outcome;
use faf_lobby_store::rating::{self, RatingInputs, participants};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};
use rusqlite::{OptionalExtension, Row, Transaction};

use super::game_data;
use super::worker::is_contradiction;

/// Rates a game: reads the inputs, computes the changes and writes them. Writes all of them or, if
/// that is impossible, nothing, and returns the reason.
pub(super) fn rate(
    t: &Transaction<'_>,
    game: GameId,
    rated: &RatedGame,
) -> rusqlite::Result<Result<Vec<RatingChange>, String>> {
    let (inputs, rows) = read(t, game, rated)?;
    let changes = match rating::rate(&inputs, rated) {
        Ok(changes) => changes,
        Err(reason) => return Ok(Err(reason)),
    };
    t.execute_batch("SAVEPOINT rating")?;
    let result = changes.iter().try_for_each(|change| {
        // Changes exist only for stored players and known leaderboards.
        let row = rows.get(&change.player).copied().unwrap_or_default();
        write(t, &inputs.leaderboards, row, change, change.leaderboard == rated.leaderboard)
    });
    match result {
        Ok(()) => Ok(Ok(changes)),
        // The results of the game remain valid.
        Err(error) if is_contradiction(&error) => {
            t.execute_batch("ROLLBACK TO rating")?;
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// Reads the inputs of the rating, and the number of each player's row in `game_player_stats`.
fn read(
    t: &Transaction<'_>,
    game: GameId,
    rated: &RatedGame,
) -> rusqlite::Result<(RatingInputs, BTreeMap<PlayerId, i64>)> {
    let (mut ratings, mut rows) = (BTreeMap::new(), BTreeMap::new());
    for player in participants(rated) {
        let stored = stored_ratings(t, player)?.into_iter();
        ratings.extend(stored.map(|(name, rating)| ((player, name), rating)));
        rows.extend(player_row(t, game, player)?.map(|row| (player, row)));
    }
    let players = rows.keys().copied().collect();
    Ok((RatingInputs { leaderboards: game_data::leaderboards(t)?, ratings, players }, rows))
}

/// Returns the rating changes that a game caused when it was stored before.
pub(super) fn recorded(
    t: &Transaction<'_>,
    game: GameId,
    rated: &RatedGame,
) -> rusqlite::Result<Vec<RatingChange>> {
    let mut select = t.prepare_cached(
        "SELECT playerId, technical_name, rating_mean_before, rating_deviation_before, rating_mean_after,
                rating_deviation_after
         FROM leaderboard_rating_journal j
         JOIN game_player_stats p ON p.id = j.game_player_stats_id
         JOIN leaderboard l ON l.id = j.leaderboard_id
         WHERE gameId = ?1 ORDER BY j.id",
    )?;
    let change = |row: &Row<'_>| {
        let player = PlayerId(row.get(0)?);
        Ok(RatingChange {
            player,
            leaderboard: row.get(1)?,
            before: rating_at(row, 2)?,
            after: rating_at(row, 4)?,
            outcome: rating::outcome(rated, player),
            // True by now; the value matters only the first time.
            was_stored: true,
        })
    };
    select.query_map([game.0], change)?.collect()
}

fn stored_ratings(t: &Transaction<'_>, player: PlayerId) -> rusqlite::Result<Vec<(String, Rating)>> {
    let mut select = t.prepare_cached(
        "SELECT technical_name, mean, deviation
         FROM leaderboard_rating r JOIN leaderboard l ON l.id = r.leaderboard_id WHERE login_id = ?1",
    )?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, rating_at(row, 1)?));
    select.query_map([player.0], read)?.collect()
}

fn player_row(t: &Transaction<'_>, game: GameId, player: PlayerId) -> rusqlite::Result<Option<i64>> {
    let mut select = t.prepare_cached(
        "SELECT id FROM game_player_stats WHERE gameId = ?1 AND playerId = ?2 ORDER BY id LIMIT 1",
    )?;
    select.query_row((game.0, player.0), |row| row.get(0)).optional()
}

fn write(
    t: &Transaction<'_>,
    leaderboards: &Leaderboards,
    player_row: i64,
    change: &RatingChange,
    is_of_game: bool,
) -> rusqlite::Result<()> {
    let RatingChange { before, after, .. } = change;
    let leaderboard = leaderboards.get(&change.leaderboard).map(|leaderboard| leaderboard.id);
    if is_of_game {
        // Deprecated, but other services still show it.
        t.prepare_cached(
            "UPDATE game_player_stats
             SET mean = ?2, deviation = ?3, after_mean = ?4, after_deviation = ?5, scoreTime = unixepoch()
             WHERE id = ?1",
        )?
        .execute((player_row, before.mean, before.deviation, after.mean, after.deviation))?;
    }
    t.prepare_cached(
        "INSERT INTO leaderboard_rating_journal
           (game_player_stats_id, leaderboard_id, rating_mean_before, rating_deviation_before, rating_mean_after,
            rating_deviation_after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((player_row, leaderboard, before.mean, before.deviation, after.mean, after.deviation))?;
    t.prepare_cached(
        "INSERT INTO leaderboard_rating (login_id, leaderboard_id, mean, deviation, total_games, won_games)
         VALUES (?1, ?2, ?3, ?4, 1, ?5)
         ON CONFLICT (login_id, leaderboard_id) DO UPDATE
         SET mean = excluded.mean, deviation = excluded.deviation, total_games = total_games + 1,
             won_games = won_games + excluded.won_games",
    )?
    .execute((
        change.player.0,
        leaderboard,
        after.mean,
        after.deviation,
        change.outcome == Outcome::Victory,
    ))?;
    Ok(())
}

/// Reads a mean and a deviation from this column and the next.
pub(super) fn rating_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Rating> {
    Ok(Rating { mean: row.get(column)?, deviation: row.get(column + 1)? })
}
