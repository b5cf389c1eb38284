//! The launch of a game.

use faf_lobby_core::game_options::VictoryCondition;
use faf_lobby_core::{GameLaunched, Timestamp};
use faf_lobby_store::{Place, place};
use faf_protocol::GameId;
use mysql::Value;

use crate::error::Result;
use crate::live_game::live_state;
use crate::mod_vault::COUNT_LIMIT;
use crate::session::{Session, parameters};

/// Last second that a column with a time can store in all versions of MariaDB, in 2038.
const LAST_TIME: i64 = 2_147_483_647;

/// Writes the rows of a launched game, and stores the game itself until it is over.
pub(crate) fn launch(s: &mut Session, id: GameId, launched: &GameLaunched) -> Result<()> {
    let has_own_tables = s.schema().has_own_tables();
    let state = serde_json::to_string(&launched.game)?;
    // Nothing else is written about the game before the launch is acknowledged, so this must be a
    // retry of the launch itself.
    if has_own_tables && live_state(s, id)?.is_some_and(|stored| stored == state)
        || !has_own_tables && is_launched(s, id, launched)?
    {
        return Ok(());
    }
    if let Some(version) = launched.map_version {
        // The new row locks the map version shared, and a trigger then counts the game there: two
        // launches on one map would end in a deadlock.
        s.first("SELECT id FROM map_version WHERE id = ? FOR UPDATE", (version,), |_| Ok(()))?;
    }
    let victory = victory(s, launched.victory);
    s.execute(
        "INSERT INTO game_stats (id, startTime, gameType, gameMod, host, mapId, gameName, validity)
         VALUES (?, FROM_UNIXTIME(?), ?, ?, ?, ?, ?, ?)",
        (
            id.0,
            seconds(launched.launched_at),
            victory,
            launched.featured_mod,
            launched.host.0,
            launched.map_version,
            &launched.title,
            launched.validity.number(),
        ),
    )?;
    if let Some(queue) = launched.queue {
        // An administrator may have deleted the queue since the match was made.
        s.execute(
            "INSERT INTO matchmaker_queue_game (matchmaker_queue_id, game_stats_id)
             SELECT id, ? FROM matchmaker_queue WHERE id = ?",
            (id.0, queue.0),
        )?;
    }
    add_players(s, id, launched)?;
    count_mods(s, &launched.mods)?;
    if has_own_tables {
        s.execute("INSERT INTO faf_lobby_live_game (id, state) VALUES (?, ?)", (id.0, state))?;
    }
    Ok(())
}

/// Returns whether the launch of this very game is stored, as far as FAF's tables show.
fn is_launched(s: &mut Session, id: GameId, launched: &GameLaunched) -> Result<bool> {
    let query = "SELECT 1 FROM game_stats
                 WHERE id = ? AND host = ? AND gameName = ? AND startTime = FROM_UNIXTIME(?) AND endTime IS NULL";
    let values = (id.0, launched.host.0, &launched.title, seconds(launched.launched_at));
    Ok(s.first(query, values, |_| Ok(()))?.is_some())
}

/// Returns the value of a column with a time.
pub(crate) fn seconds(time: Timestamp) -> i64 {
    time.0.div_euclid(1_000_000).clamp(1, LAST_TIME)
}

/// Returns the value of the column with the victory condition.
fn victory(s: &Session, victory: VictoryCondition) -> &'static str {
    match victory {
        victory if s.schema().has_victory_names => victory.as_str(),
        // The oldest versions do not have decapitation, which is rated like demoralization.
        VictoryCondition::Demoralization | VictoryCondition::Decapitation => "0",
        VictoryCondition::Domination => "1",
        VictoryCondition::Eradication => "2",
        VictoryCondition::Sandbox => "3",
    }
}

/// Writes the rows of those players whose placement the host has reported.
fn add_players(s: &mut Session, id: GameId, launched: &GameLaunched) -> Result<()> {
    let mut values: Vec<Value> = Vec::new();
    for player in &launched.players {
        let Some(Place { faction, color, team, place }) = place(player) else { continue };
        values.extend([id.0.into(), player.id.0.into()]);
        values.extend([faction, color, team, place].map(Value::from));
        values.extend([player.rating.mean, player.rating.deviation].map(Value::from));
    }
    let rows = vec!["(?, ?, 0, ?, ?, ?, ?, ?, ?, 0)"; values.len() / 8];
    if rows.is_empty() {
        return Ok(());
    }
    let insert = format!(
        "INSERT INTO game_player_stats (gameId, playerId, AI, faction, color, team, place, mean, deviation, score)
         VALUES {}",
        rows.join(", ")
    );
    s.execute(&insert, parameters(values)).map(drop)
}

/// Counts the game for each mod, like the original only once even if several of its versions
/// are active.
fn count_mods(s: &mut Session, uids: &[String]) -> Result<()> {
    if uids.is_empty() {
        return Ok(());
    }
    let insert = format!(
        "INSERT INTO mod_stats (mod_id, likers, times_played)
         SELECT DISTINCT mod_id, '[]', 1 FROM mod_version WHERE uid IN ({})
         ON DUPLICATE KEY UPDATE times_played = LEAST(mod_stats.times_played + 1, {COUNT_LIMIT})",
        vec!["?"; uids.len()].join(", ")
    );
    s.execute(&insert, parameters(uids.iter().map(Value::from))).map(drop)
}
