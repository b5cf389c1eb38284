//! Reads everything that is stored, for tests.

use faf_lobby_core::matchmaking::queue::QueueId;
use faf_lobby_store::facts::{
    AvatarFact, Facts, GameFact, JoinFact, JournalFact, LoginFact, MissionFact, ModFact, PlayerFact,
    RatingFact, TeamkillFact,
};
use faf_lobby_store::relation_of_status;
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};
use rusqlite::{Row, Transaction};

use super::ratings::rating_at;

/// Reads everything that the lobby changes.
pub(super) fn read(t: &Transaction<'_>) -> rusqlite::Result<Facts> {
    let relations = "SELECT user_id, subject_id, status FROM friends_and_foes";
    let avatars = "SELECT idUser, idAvatar, selected FROM avatars ORDER BY idUser, idAvatar";
    let games = "SELECT id, startTime, endTime, gameType, gameMod, host, mapId, gameName, validity,
                        (SELECT state FROM live_game WHERE game_id = id),
                        (SELECT decisions FROM game_explanation WHERE game_id = id)
                 FROM game_stats ORDER BY id";
    let players =
        "SELECT gameId, playerId, faction, color, team, place, mean, deviation, after_mean, after_deviation,
                          score, scoreTime IS NOT NULL, result
                   FROM game_player_stats ORDER BY gameId, id";
    let queue_games = "SELECT game_stats_id, matchmaker_queue_id FROM matchmaker_queue_game
                       ORDER BY game_stats_id, matchmaker_queue_id";
    let journal = "SELECT gameId, playerId, technical_name, rating_mean_before, rating_deviation_before,
                          rating_mean_after, rating_deviation_after
                   FROM leaderboard_rating_journal j JOIN game_player_stats p ON p.id = j.game_player_stats_id
                   JOIN leaderboard l ON l.id = j.leaderboard_id ORDER BY j.id";
    let ratings = "SELECT login_id, technical_name, mean, deviation, total_games, won_games
                   FROM leaderboard_rating r JOIN leaderboard l ON l.id = r.leaderboard_id ORDER BY login_id, l.id";
    let joins = "SELECT player_id, game_id, ip FROM game_join_log ORDER BY game_id, id";
    let teamkills = "SELECT game_id, teamkiller, victim, gametime FROM teamkills ORDER BY id";
    let missions = "SELECT mission, gameuid, secondary, time, player_count FROM coop_leaderboard ORDER BY id";
    let mods = "SELECT mod_id, likes, likers, downloads, times_played FROM mod_stats ORDER BY mod_id";
    let versions = "SELECT id, times_played FROM map_version WHERE times_played > 0";
    let maps = "SELECT id, times_played FROM map WHERE times_played > 0";
    Ok(Facts {
        logins: all(t, "SELECT id, ip, user_agent, last_login IS NOT NULL FROM login ORDER BY id", |row| {
            let (id, ip, user_agent, has_last_login) = row.try_into()?;
            Ok(LoginFact { id: PlayerId(id), ip, user_agent, has_last_login })
        })?,
        relations: all(t, relations, |row| {
            let (player, subject, status): (_, _, Option<String>) = row.try_into()?;
            let relation = relation_of_status(status.as_deref());
            Ok((PlayerId(player), PlayerId(subject), relation))
        })?,
        avatars: all(t, avatars, |row| {
            let (player, avatar_id, is_selected) = row.try_into()?;
            Ok(AvatarFact { player_id: PlayerId(player), avatar_id, is_selected })
        })?,
        games: all(t, games, game)?,
        players: all(t, players, player)?,
        queue_games: all(t, queue_games, |row| Ok((GameId(row.get(0)?), QueueId(row.get(1)?))))?,
        journal: all(t, journal, |row| {
            let (game, player, leaderboard) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (game_id, player_id) = (GameId(game), PlayerId(player));
            Ok(JournalFact {
                game_id,
                player_id,
                leaderboard,
                before: rating_at(row, 3)?,
                after: rating_at(row, 5)?,
            })
        })?,
        ratings: all(t, ratings, |row| {
            let (player_id, leaderboard) = (PlayerId(row.get(0)?), row.get(1)?);
            let (total_games, won_games) = (row.get(4)?, row.get(5)?);
            Ok(RatingFact { player_id, leaderboard, rating: rating_at(row, 2)?, total_games, won_games })
        })?,
        joins: all(t, joins, |row| {
            let (player, game, address): (_, _, Option<String>) = row.try_into()?;
            let address = address.and_then(|address| address.parse().ok());
            Ok(JoinFact { player: PlayerId(player), game: GameId(game), address })
        })?,
        desyncs: all(t, "SELECT game_id, player_id, game_time FROM game_desync", |row| {
            Ok((GameId(row.get(0)?), PlayerId(row.get(1)?), row.get(2)?))
        })?,
        teamkills: all(t, teamkills, |row| {
            let (game, teamkiller, victim, gametime) = row.try_into()?;
            let (teamkiller, victim) = (PlayerId(teamkiller), PlayerId(victim));
            Ok(TeamkillFact { game_id: GameId(game), teamkiller, victim, gametime })
        })?,
        missions: all(t, missions, |row| {
            let (mission, game, secondary, time, player_count) = row.try_into()?;
            Ok(MissionFact { mission, game_id: GameId(game), secondary, time, player_count })
        })?,
        mods: all(t, mods, |row| {
            let (mod_id, likes, likers, downloads, times_played) = row.try_into()?;
            Ok(ModFact { mod_id, likes, likers, downloads, times_played })
        })?,
        map_versions_played: all(t, versions, |row| row.try_into())?.into_iter().collect(),
        maps_played: all(t, maps, |row| row.try_into())?.into_iter().collect(),
        outbox: all(t, "SELECT routing_key, body FROM outbox ORDER BY id", |row| row.try_into())?,
        beats: t.query_row("SELECT beats FROM heartbeat", (), |row| row.get(0))?,
    })
}

fn all<T>(
    t: &Transaction<'_>,
    query: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    t.prepare(query)?.query_map((), read)?.collect()
}

fn game(row: &Row<'_>) -> rusqlite::Result<GameFact> {
    let state: Option<String> = row.get(9)?;
    let decisions: Option<String> = row.get(10)?;
    Ok(GameFact {
        id: GameId(row.get(0)?),
        launched_at: row.get(1)?,
        ended_at: row.get(2)?,
        victory: row.get(3)?,
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

fn player(row: &Row<'_>) -> rusqlite::Result<PlayerFact> {
    let after: (Option<f64>, Option<f64>) = (row.get(8)?, row.get(9)?);
    Ok(PlayerFact {
        game_id: GameId(row.get(0)?),
        player_id: PlayerId(row.get(1)?),
        faction: row.get(2)?,
        color: row.get(3)?,
        team: row.get(4)?,
        place: row.get(5)?,
        before: rating_at(row, 6)?,
        after: after.0.zip(after.1).map(|(mean, deviation)| Rating { mean, deviation }),
        score: row.get(10)?,
        has_score_time: row.get(11)?,
        result: row.get(12)?,
    })
}
