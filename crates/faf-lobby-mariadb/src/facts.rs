//! Reads everything that is stored, for tests.

use std::collections::BTreeMap;

use faf_lobby_core::matchmaking::queue::QueueId;
use faf_lobby_store::facts::{
    AvatarFact, Facts, GameFact, JoinFact, JournalFact, LoginFact, MissionFact, ModFact, PlayerFact,
    RatingFact, TeamkillFact,
};
use faf_lobby_store::relation_of_status;
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};

use crate::error::Result;
use crate::ratings::CHANGE;
use crate::session::{Row, Session};

/// Reads everything that the lobby changes.
pub(crate) fn read(s: &mut Session) -> Result<Facts> {
    let mut facts = games(s)?;
    players(s, &mut facts)?;
    vault(s, &mut facts)?;
    own(s, &mut facts)?;
    Ok(facts)
}

fn games(s: &mut Session) -> Result<Facts> {
    let kept = match s.schema().has_own_tables() {
        true => {
            "(SELECT state FROM faf_lobby_live_game WHERE id = g.id),
             (SELECT decisions FROM faf_lobby_explanation WHERE id = g.id)"
        }
        false => "NULL, NULL",
    };
    let games = format!(
        "SELECT id, UNIX_TIMESTAMP(startTime), NULLIF(UNIX_TIMESTAMP(endTime), 0), gameType, gameMod, host, mapId,
                gameName, validity, {kept} FROM game_stats g ORDER BY id"
    );
    let players = "SELECT gameId, playerId, faction, color, team, place, CAST(mean AS CHAR), CAST(deviation AS CHAR),
                          CAST(after_mean AS CHAR), CAST(after_deviation AS CHAR), score, scoreTime IS NOT NULL, result
                   FROM game_player_stats ORDER BY gameId, id";
    let queue_games = "SELECT game_stats_id, matchmaker_queue_id FROM matchmaker_queue_game
                       ORDER BY game_stats_id, matchmaker_queue_id";
    let journal = format!(
        "SELECT gameId, playerId, technical_name, {CHANGE}
         FROM leaderboard_rating_journal j JOIN game_player_stats p ON p.id = j.game_player_stats_id
         JOIN leaderboard l ON l.id = j.leaderboard_id ORDER BY j.id"
    );
    let teamkills = "SELECT game_id, teamkiller, victim, gametime FROM teamkills ORDER BY id";
    let missions = "SELECT mission, gameuid, secondary <> 0, CAST(time AS CHAR), player_count
                    FROM coop_leaderboard ORDER BY id";
    Ok(Facts {
        games: s.select(&games, (), game)?,
        players: s.select(players, (), player)?,
        queue_games: s.select(queue_games, (), |row| Ok((GameId(row.get(0)?), QueueId(row.get(1)?))))?,
        journal: s.select(&journal, (), |row| {
            Ok(JournalFact {
                game_id: GameId(row.get(0)?),
                player_id: PlayerId(row.get(1)?),
                leaderboard: row.get(2)?,
                before: row.rating(3)?,
                after: row.rating(5)?,
            })
        })?,
        teamkills: s.select(teamkills, (), |row| {
            let (teamkiller, victim) = (PlayerId(row.get(1)?), PlayerId(row.get(2)?));
            Ok(TeamkillFact { game_id: GameId(row.get(0)?), teamkiller, victim, gametime: row.get(3)? })
        })?,
        missions: s.select(missions, (), |row| {
            Ok(MissionFact {
                mission: row.get(0)?,
                game_id: GameId(row.get(1)?),
                secondary: row.get(2)?,
                time: row.get(3)?,
                player_count: row.get(4)?,
            })
        })?,
        ..Facts::default()
    })
}

fn players(s: &mut Session, facts: &mut Facts) -> Result<()> {
    let logins = "SELECT id, ip, user_agent, last_login IS NOT NULL FROM login ORDER BY id";
    facts.logins = s.select(logins, (), |row| {
        let id = PlayerId(row.get(0)?);
        Ok(LoginFact { id, ip: row.get(1)?, user_agent: row.get(2)?, has_last_login: row.get(3)? })
    })?;
    let relations = "SELECT user_id, subject_id, status FROM friends_and_foes ORDER BY user_id, subject_id";
    facts.relations = s.select(relations, (), |row| {
        let relation = relation_of_status(row.get::<Option<String>>(2)?.as_deref());
        Ok((PlayerId(row.get(0)?), PlayerId(row.get(1)?), relation))
    })?;
    let avatars = "SELECT idUser, idAvatar, selected <> 0 FROM avatars ORDER BY idUser, idAvatar";
    facts.avatars = s.select(avatars, (), |row| {
        let player_id = PlayerId(row.get(0)?);
        Ok(AvatarFact { player_id, avatar_id: row.get(1)?, is_selected: row.get(2)? })
    })?;
    let ratings = "SELECT login_id, technical_name, CAST(mean AS CHAR), CAST(deviation AS CHAR), total_games, won_games
                   FROM leaderboard_rating r JOIN leaderboard l ON l.id = r.leaderboard_id ORDER BY login_id, l.id";
    facts.ratings = s.select(ratings, (), |row| {
        let (player_id, leaderboard) = (PlayerId(row.get(0)?), row.get(1)?);
        let (total_games, won_games) = (row.get(4)?, row.get(5)?);
        Ok(RatingFact { player_id, leaderboard, rating: row.rating(2)?, total_games, won_games })
    })?;
    Ok(())
}

fn vault(s: &mut Session, facts: &mut Facts) -> Result<()> {
    let mods =
        "SELECT mod_id, CAST(likes AS CHAR), likers, downloads, times_played FROM mod_stats ORDER BY mod_id";
    facts.mods = s.select(mods, (), |row| {
        let likers = String::from_utf8_lossy(&row.get::<Vec<u8>>(2)?).into_owned();
        let (downloads, times_played) = (row.get(3)?, row.get(4)?);
        Ok(ModFact { mod_id: row.get(0)?, likes: row.number(1)?, likers, downloads, times_played })
    })?;
    let mut played = |table: &str| -> Result<BTreeMap<u32, u32>> {
        let query = format!("SELECT id, times_played FROM {table} WHERE times_played > 0");
        let rows = s.select(&query, (), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.into_iter().collect())
    };
    facts.map_versions_played = played("map_version")?;
    facts.maps_played = played("map")?;
    Ok(())
}

/// Reads what may lie in FAF's tables or in ours, and what lies only in ours.
fn own(s: &mut Session, facts: &mut Facts) -> Result<()> {
    let (mut joins, mut desyncs) = (Vec::new(), Vec::new());
    if s.schema().has_join_log {
        let address = if s.schema().has_join_address { "ip" } else { "NULL" };
        joins.push(format!("SELECT player_id, game_id, {address}, id FROM game_join_log"));
    }
    if s.schema().has_desyncs {
        desyncs.push("SELECT game_id, player_id, game_time FROM game_desync");
    }
    if s.schema().has_own_tables() {
        joins.push("SELECT player_id, game_id, ip, id FROM faf_lobby_join".to_owned());
        desyncs.push("SELECT game_id, player_id, game_time FROM faf_lobby_desync");
        let outbox = "SELECT routing_key, body FROM faf_lobby_outbox ORDER BY id";
        facts.outbox = s.select(outbox, (), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let beats: Option<u32> = s.first("SELECT beats FROM faf_lobby_heartbeat", (), |row| row.get(0))?;
        facts.beats = beats.unwrap_or_default();
    }
    if !joins.is_empty() {
        let query = format!("{} ORDER BY 2, 4", joins.join(" UNION ALL "));
        facts.joins = s.select(&query, (), |row| {
            let address: Option<String> = row.get(2)?;
            let address = address.and_then(|address| address.parse().ok());
            Ok(JoinFact { player: PlayerId(row.get(0)?), game: GameId(row.get(1)?), address })
        })?;
    }
    if !desyncs.is_empty() {
        let query = format!("{} ORDER BY 1, 2", desyncs.join(" UNION ALL "));
        facts.desyncs =
            s.select(&query, (), |row| Ok((GameId(row.get(0)?), PlayerId(row.get(1)?), row.get(2)?)))?;
    }
    Ok(())
}

fn game(row: &Row) -> Result<GameFact> {
    let (state, decisions): (Option<String>, Option<String>) = (row.get(9)?, row.get(10)?);
    let victory: String = row.get(3)?;
    // Before version 136, numbers.
    let victory = match victory.as_str() {
        "0" => "DEMORALIZATION",
        "1" => "DOMINATION",
        "2" => "ERADICATION",
        "3" => "SANDBOX",
        name => name,
    };
    Ok(GameFact {
        id: GameId(row.get(0)?),
        launched_at: row.get(1)?,
        ended_at: row.get(2)?,
        victory: victory.to_owned(),
        featured_mod: row.get(4)?,
        host: PlayerId(row.get(5)?),
        map_version: row.get(6)?,
        title: row.get(7)?,
        validity: row.get(8)?,
        is_live: state.is_some(),
        live: state.and_then(|state| serde_json::from_str(&state).ok()),
        decisions: decisions.and_then(|decisions| serde_json::from_str(&decisions).ok()),
    })
}

fn player(row: &Row) -> Result<PlayerFact> {
    let after = row.optional_number(8)?.zip(row.optional_number(9)?);
    Ok(PlayerFact {
        game_id: GameId(row.get(0)?),
        player_id: PlayerId(row.get(1)?),
        faction: row.get(2)?,
        color: row.get(3)?,
        team: row.get(4)?,
        place: row.get(5)?,
        before: row.rating(6)?,
        after: after.map(|(mean, deviation)| Rating { mean, deviation }),
        score: row.get(10)?,
        has_score_time: row.get(11)?,
        result: row.get(12)?,
    })
}
