//! Live games: their launch, and whatever changes before they are over.
//!
//! There is one write at a time for each game, and the lobby tries again what was not answered. It may have been carried
//! out all the same; so every write can be carried out twice and leaves what it would have left once. Only for a killing
//! of a team mate there may be a second row, as there is for every player who reports it.

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{Decision, Game, GameLaunched, GameWrite, LivePlayer};
use faf_protocol::GameId;
use rusqlite::{OptionalExtension, Transaction};
use serde::Serialize;

use super::{Answered, Store, game_end, is_contradiction, notes};

/// What came of storing something about a game.
#[derive(Debug, Clone, PartialEq)]
pub enum GameStored {
    /// It is on the disk. These ratings have changed by it.
    Durable(Vec<RatingChange>),
    /// It contradicts what is stored, for this reason; nothing of it was stored, nor ever can be.
    Refused(String),
}

impl GameStored {
    /// It is on the disk and has changed no rating.
    pub(super) fn without_ratings() -> Self {
        Self::Durable(Vec::new())
    }
}

impl Store {
    /// Stores something about a game, so that it outlives a crash of the machine: all of it, or nothing.
    ///
    /// What is asked for first is stored first, whether anybody waits for the answer or not.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) if the database cannot be used; it may be stored or not.
    pub(crate) fn store_game(&self, game: GameId, write: GameWrite) -> impl Answered<GameStored> + use<> {
        self.write_durably(move |t| {
            let stored = t.execute_batch("SAVEPOINT game").and_then(|()| match &write {
                GameWrite::Launch(launched) => launch(t, game, launched),
                GameWrite::Save(saved) => save(t, game, saved),
                GameWrite::Note(note) => notes::add(t, game, note),
                GameWrite::End(end) => game_end::end(t, game, end),
            });
            match stored {
                Err(error) if is_contradiction(&error) => {
                    t.execute_batch("ROLLBACK TO game")?;
                    Ok(GameStored::Refused(error.to_string()))
                }
                other => other,
            }
        })
    }
}

/// Writes the rows of a game that was launched, and keeps the game itself until it is over.
fn launch(t: &Transaction<'_>, id: GameId, launched: &GameLaunched) -> rusqlite::Result<GameStored> {
    let state = json(&launched.game)?;
    // Nothing else is written about the game before the launch is answered, so this can only be the launch itself.
    if live_state(t, id)?.is_some_and(|stored| stored == state) {
        return Ok(GameStored::without_ratings());
    }
    let launched_at = launched.game.decisions().iter().find_map(|decision| match decision {
        Decision::Launched { at, .. } => Some(at.0.div_euclid(1_000_000)),
        _ => None,
    });
    t.prepare_cached(
        "INSERT INTO game_stats (id, startTime, gameType, gameMod, host, mapId, gameName, validity)
         VALUES (?1, coalesce(?2, unixepoch()), ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        id.0,
        launched_at,
        launched.victory.as_str(),
        launched.featured_mod,
        launched.host.0,
        launched.map_version,
        &launched.title,
        launched.validity.number(),
    ))?;
    for player in &launched.players {
        add_player(t, id, player)?;
    }
    // The original counts a mod once, however many of its versions are active.
    t.prepare_cached(
        "INSERT INTO mod_stats (mod_id, times_played)
         SELECT DISTINCT mod_id, 1 FROM mod_version WHERE uid IN (SELECT value FROM json_each(?1))
         ON CONFLICT (mod_id) DO UPDATE SET times_played = times_played + 1",
    )?
    .execute([json(&launched.mods)?])?;
    t.prepare_cached("INSERT INTO live_game (game_id, state) VALUES (?1, ?2)")?.execute((id.0, state))?;
    Ok(GameStored::without_ratings())
}

/// Writes the row of a player, unless the host has not said where the player stands.
fn add_player(t: &Transaction<'_>, id: GameId, player: &LivePlayer) -> rusqlite::Result<()> {
    let is_set = |value: Option<i64>| value.filter(|value| *value >= 0);
    let (Some(team), Some(place)) = (is_set(player.team), is_set(player.start_spot)) else { return Ok(()) };
    // The columns of the original hold no more.
    let (signed, unsigned) = (i64::from(i8::MIN)..=i64::from(i8::MAX), 0..=i64::from(u8::MAX));
    let within =
        |value: i64, range: &std::ops::RangeInclusive<i64>| value.clamp(*range.start(), *range.end());
    t.prepare_cached(
        "INSERT INTO game_player_stats (gameId, playerId, faction, color, team, place, mean, deviation, score)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)",
    )?
    .execute((
        id.0,
        player.id.0,
        within(player.faction, &unsigned),
        within(player.color, &signed),
        within(team, &signed),
        within(place, &unsigned),
        player.rating.mean,
        player.rating.deviation,
    ))?;
    Ok(())
}

/// Keeps a live game as it is now.
fn save(t: &Transaction<'_>, id: GameId, game: &Game) -> rusqlite::Result<GameStored> {
    let mut update = t.prepare_cached("UPDATE live_game SET state = ?2 WHERE game_id = ?1")?;
    if update.execute((id.0, json(game)?))? == 0 {
        return Ok(GameStored::Refused("it is not among the live games".to_owned()));
    }
    t.prepare_cached("UPDATE game_stats SET validity = coalesce(?2, validity) WHERE id = ?1")?
        .execute((id.0, game.validity().map(faf_lobby_core::validity::Validity::number)))?;
    Ok(GameStored::without_ratings())
}

/// The live game, as it was stored.
pub(super) fn live_state(t: &Transaction<'_>, id: GameId) -> rusqlite::Result<Option<String>> {
    let mut select = t.prepare_cached("SELECT state FROM live_game WHERE game_id = ?1")?;
    select.query_row([id.0], |row| row.get(0)).optional()
}

pub(super) fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
