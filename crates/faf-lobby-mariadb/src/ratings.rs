//! Ratings, changed in the transaction of the game's end (ratings.md section 5).
//!
//! Their columns have 32 bits, and are read with six digits, as other services do.

use std::collections::BTreeMap;

use faf_lobby_core::RatedGame;
use faf_lobby_core::ratings::{Leaderboards, RatingChange};
use faf_lobby_core::results::Outcome;
use faf_lobby_store::rating::{self, RatingInputs, participants};
use faf_protocol::{GameId, PlayerId};
use mysql::Value;

use crate::error::Result;
use crate::game_data;
use crate::session::{Session, parameters};

/// Selects the ratings before and after a game, from columns of the journal.
pub(crate) const CHANGE: &str = "CAST(rating_mean_before AS CHAR), CAST(rating_deviation_before AS CHAR), \
     CAST(rating_mean_after AS CHAR), CAST(rating_deviation_after AS CHAR)";

/// Rates a game: reads the inputs, computes the changes and writes them. Writes all of them or, if
/// that is impossible, nothing, and returns the reason.
pub(crate) fn rate(
    s: &mut Session,
    game: GameId,
    rated: &RatedGame,
) -> Result<Result<Vec<RatingChange>, String>> {
    let (inputs, rows) = read(s, game, rated)?;
    let changes = match rating::rate(&inputs, rated) {
        Ok(changes) => changes,
        Err(reason) => return Ok(Err(reason)),
    };
    s.command("SAVEPOINT rating")?;
    let result = changes.iter().try_for_each(|change| {
        // Changes exist only for stored players and known leaderboards.
        let row = rows.get(&change.player).copied().unwrap_or_default();
        write(s, &inputs.leaderboards, row, change, change.leaderboard == rated.leaderboard)
    });
    match result {
        Ok(()) => Ok(Ok(changes)),
        // The results of the game remain valid.
        Err(error) if error.is_contradiction() => {
            s.command("ROLLBACK TO rating")?;
            Ok(Err(error.explain()))
        }
        Err(error) => Err(error),
    }
}

/// Reads the inputs of the rating, and the number of each player's row in `game_player_stats`.
fn read(s: &mut Session, game: GameId, rated: &RatedGame) -> Result<(RatingInputs, BTreeMap<PlayerId, u64>)> {
    let mut rows = BTreeMap::new();
    let participants: Vec<PlayerId> = participants(rated).collect();
    if participants.is_empty() {
        return Ok((
            RatingInputs { leaderboards: game_data::leaderboards(s)?, ..RatingInputs::default() },
            rows,
        ));
    }
    let places = vec!["?"; participants.len()].join(", ");
    let values = || parameters(participants.iter().map(|player| Value::from(player.0)));
    // Nobody else may change the ratings until the new ones are stored.
    let query = format!(
        "SELECT login_id, technical_name, CAST(mean AS CHAR), CAST(deviation AS CHAR)
         FROM leaderboard_rating r JOIN leaderboard l ON l.id = r.leaderboard_id
         WHERE login_id IN ({places}) ORDER BY login_id, l.id FOR UPDATE"
    );
    let stored =
        s.select_valid(&query, values(), |row| Ok(((PlayerId(row.get(0)?), row.get(1)?), row.rating(2)?)))?;
    let ratings = stored.into_iter().collect();
    // Of several rows of one player, the first one counts.
    let query = "SELECT playerId, id FROM game_player_stats WHERE gameId = ? ORDER BY id DESC";
    let rows_of_game = s.select_valid(query, (game.0,), |row| Ok((PlayerId(row.get(0)?), row.get(1)?)))?;
    rows.extend(rows_of_game.into_iter().filter(|(player, _)| participants.contains(player)));
    let players = rows.keys().copied().collect();
    Ok((RatingInputs { leaderboards: game_data::leaderboards(s)?, ratings, players }, rows))
}

/// Returns the rating changes that a game caused when it was stored before.
pub(crate) fn recorded(s: &mut Session, game: GameId, rated: &RatedGame) -> Result<Vec<RatingChange>> {
    let query = format!(
        "SELECT playerId, technical_name, {CHANGE}
         FROM leaderboard_rating_journal j
         JOIN game_player_stats p ON p.id = j.game_player_stats_id
         JOIN leaderboard l ON l.id = j.leaderboard_id
         WHERE gameId = ? ORDER BY j.id"
    );
    s.select(&query, (game.0,), |row| {
        let player = PlayerId(row.get(0)?);
        Ok(RatingChange {
            player,
            leaderboard: row.get(1)?,
            before: row.rating(2)?,
            after: row.rating(4)?,
            outcome: rating::outcome(rated, player),
            // True by now; the value matters only the first time.
            was_stored: true,
        })
    })
}

fn write(
    s: &mut Session,
    leaderboards: &Leaderboards,
    player_row: u64,
    change: &RatingChange,
    is_of_game: bool,
) -> Result<()> {
    let RatingChange { before, after, .. } = change;
    let leaderboard = leaderboards.get(&change.leaderboard).map(|leaderboard| leaderboard.id);
    if is_of_game {
        // Deprecated, but other services still show it.
        s.execute(
            "UPDATE game_player_stats
             SET mean = ?, deviation = ?, after_mean = ?, after_deviation = ?, scoreTime = NOW() WHERE id = ?",
            (before.mean, before.deviation, after.mean, after.deviation, player_row),
        )?;
    }
    s.execute(
        "INSERT INTO leaderboard_rating_journal
           (game_player_stats_id, leaderboard_id, rating_mean_before, rating_deviation_before, rating_mean_after,
            rating_deviation_after)
         VALUES (?, ?, ?, ?, ?, ?)",
        (player_row, leaderboard, before.mean, before.deviation, after.mean, after.deviation),
    )?;
    let won = i32::from(change.outcome == Outcome::Victory);
    let updated = s.execute(
        "UPDATE leaderboard_rating
         SET mean = ?, deviation = ?, total_games = total_games + 1, won_games = won_games + ?
         WHERE login_id = ? AND leaderboard_id = ?",
        (after.mean, after.deviation, won, change.player.0, leaderboard),
    )?;
    if updated == 0 {
        s.execute(
            "INSERT INTO leaderboard_rating (login_id, leaderboard_id, mean, deviation, total_games, won_games)
             VALUES (?, ?, ?, ?, 1, ?)",
            (change.player.0, leaderboard, after.mean, after.deviation, won),
        )?;
    }
    Ok(())
}
