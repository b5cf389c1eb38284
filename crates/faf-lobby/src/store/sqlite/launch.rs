//! The launch of a game.

use faf_lobby_core::{GameLaunched, LivePlayer};
use faf_lobby_store::{Place, place};
use faf_protocol::GameId;
use rusqlite::Transaction;

use super::live_game::{json, live_state};

/// Writes the rows of a launched game, and stores the game itself until it is over.
pub(super) fn launch(t: &Transaction<'_>, id: GameId, launched: &GameLaunched) -> rusqlite::Result<()> {
    let state = json(&launched.game)?;
    // Nothing else is written about the game before the launch is acknowledged, so this must be a
    // retry of the launch itself.
    if live_state(t, id)?.is_some_and(|stored| stored == state) {
        return Ok(());
    }
    t.prepare_cached(
        "INSERT INTO game_stats (id, startTime, gameType, gameMod, host, mapId, gameName, validity)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        id.0,
        launched.launched_at.0.div_euclid(1_000_000),
        launched.victory.as_str(),
        launched.featured_mod,
        launched.host.0,
        launched.map_version,
        &launched.title,
        launched.validity.number(),
    ))?;
    if let Some(queue) = launched.queue {
        // An administrator may have deleted the queue since the match was made.
        t.prepare_cached(
            "INSERT INTO matchmaker_queue_game (matchmaker_queue_id, game_stats_id)
             SELECT id, ?2 FROM matchmaker_queue WHERE id = ?1",
        )?
        .execute((queue.0, id.0))?;
    }
    for player in &launched.players {
        add_player(t, id, player)?;
    }
    // Like the original, counts a mod once, even if several of its versions are active.
    t.prepare_cached(
        "INSERT INTO mod_stats (mod_id, times_played)
         SELECT DISTINCT mod_id, 1 FROM mod_version WHERE uid IN (SELECT value FROM json_each(?1))
         ON CONFLICT (mod_id) DO UPDATE SET times_played = times_played + 1",
    )?
    .execute([json(&launched.mods)?])?;
    t.prepare_cached("INSERT INTO live_game (game_id, state) VALUES (?1, ?2)")?.execute((id.0, state))?;
    Ok(())
}

/// Writes the row of a player, unless the host has not reported the player's placement.
fn add_player(t: &Transaction<'_>, id: GameId, player: &LivePlayer) -> rusqlite::Result<()> {
    let Some(Place { faction, color, team, place }) = place(player) else { return Ok(()) };
    let LivePlayer { id: player, rating, .. } = player;
    t.prepare_cached(
        "INSERT INTO game_player_stats (gameId, playerId, faction, color, team, place, mean, deviation, score)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)",
    )?
    .execute((id.0, player.0, faction, color, team, place, rating.mean, rating.deviation))?;
    Ok(())
}
