//! Reads everything that is stored, for tests.

use faf_lobby_core::Relation;
use faf_lobby_store::facts::{
    AvatarFact, Facts, GameFact, JoinFact, JournalFact, LoginFact, MissionFact, ModFact, PlayerFact,
    RatingFact, TeamkillFact,
};
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};
use rusqlite::{Row, Transaction};

/// Reads everything that the lobby changes.
pub(super) fn read(t: &Transaction<'_>) -> rusqlite::Result<Facts> {
    let plays = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let games = "SELECT id, startTime, endTime, gameType, gameMod, host, mapId, gameName, validity,
                        (SELECT state FROM live_game WHERE game_id = id),
                        (SELECT decisions FROM game_explanation WHERE game_id = id)
                 FROM game_stats ORDER BY id";
    let players =
        "SELECT gameId, playerId, faction, color, team, place, mean, deviation, after_mean, after_deviation,
                          score, scoreTime IS NOT NULL, result
                   FROM game_player_stats ORDER BY gameId, id";
    let journal = "SELECT gameId, playerId, technical_name, rating_mean_before, rating_deviation_before,
                          rating_mean_after, rating_deviation_after
                   FROM leaderboard_rating_journal j JOIN game_player_stats p ON p.id = j.game_player_stats_id
                   JOIN leaderboard l ON l.id = j.leaderboard_id ORDER BY j.id";
    let ratings = "SELECT login_id, technical_name, mean, deviation, total_games, won_games
                   FROM leaderboard_rating r JOIN leaderboard l ON l.id = r.leaderboard_id ORDER BY login_id, l.id";
    let avatars = "SELECT idUser, idAvatar, selected FROM avatars ORDER BY idUser, idAvatar";
    Ok(Facts {
        logins: all(t, "SELECT id, ip, user_agent, last_login IS NOT NULL FROM login ORDER BY id", login)?,
        relations: all(t, "SELECT user_id, subject_id, status FROM friends_and_foes", relation)?,
        avatars: all(t, avatars, |row| {
            let is_selected = row.get(2)?;
            Ok(AvatarFact { player_id: player(row, 0)?, avatar_id: row.get(1)?, is_selected })
        })?,
        games: all(t, games, game)?,
        players: all(t, players, player_of_game)?,
        journal: all(t, journal, |row| {
            Ok(JournalFact {
                game_id: GameId(row.get(0)?),
                player_id: player(row, 1)?,
                leaderboard: row.get(2)?,
                before: Rating { mean: row.get(3)?, deviation: row.get(4)? },
                after: Rating { mean: row.get(5)?, deviation: row.get(6)? },
            })
        })?,
        ratings: all(t, ratings, |row| {
            Ok(RatingFact {
                player_id: player(row, 0)?,
                leaderboard: row.get(1)?,
                rating: Rating { mean: row.get(2)?, deviation: row.get(3)? },
                total_games: row.get(4)?,
                won_games: row.get(5)?,
            })
        })?,
        joins: all(t, "SELECT player_id, game_id, ip FROM game_join_log ORDER BY game_id, id", join)?,
        desyncs: all(t, "SELECT game_id, player_id, game_time FROM game_desync", |row| {
            Ok((GameId(row.get(0)?), player(row, 1)?, row.get(2)?))
        })?,
        teamkills: all(
            t,
            "SELECT game_id, teamkiller, victim, gametime FROM teamkills ORDER BY id",
            teamkill,
        )?,
        missions: all(
            t,
            "SELECT mission, gameuid, secondary, time, player_count FROM coop_leaderboard ORDER BY id",
            mission,
        )?,
        mods: all(
            t,
            "SELECT mod_id, likes, likers, downloads, times_played FROM mod_stats ORDER BY mod_id",
            counters,
        )?,
        map_versions_played: all(
            t,
            "SELECT id, times_played FROM map_version WHERE times_played > 0",
            plays,
        )?
        .into_iter()
        .collect(),
        maps_played: all(t, "SELECT id, times_played FROM map WHERE times_played > 0", plays)?
            .into_iter()
            .collect(),
        outbox: all(t, "SELECT routing_key, body FROM outbox ORDER BY id", |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?,
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

fn player(row: &Row<'_>, column: usize) -> rusqlite::Result<PlayerId> {
    row.get(column).map(PlayerId)
}

fn login(row: &Row<'_>) -> rusqlite::Result<LoginFact> {
    let has_last_login = row.get(3)?;
    Ok(LoginFact { id: player(row, 0)?, ip: row.get(1)?, user_agent: row.get(2)?, has_last_login })
}

fn relation(row: &Row<'_>) -> rusqlite::Result<(PlayerId, PlayerId, Relation)> {
    let status: Option<String> = row.get(2)?;
    let relation = if status.as_deref() == Some("FRIEND") { Relation::Friend } else { Relation::Foe };
    Ok((player(row, 0)?, player(row, 1)?, relation))
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
        host: player(row, 5)?,
        map_version: row.get(6)?,
        title: row.get(7)?,
        validity: row.get(8)?,
        is_live: state.is_some(),
        live: state.and_then(|state| serde_json::from_str(&state).ok()),
        decisions: decisions.and_then(|decisions| serde_json::from_str(&decisions).ok()),
    })
}

fn player_of_game(row: &Row<'_>) -> rusqlite::Result<PlayerFact> {
    let after: (Option<f64>, Option<f64>) = (row.get(8)?, row.get(9)?);
    Ok(PlayerFact {
        game_id: GameId(row.get(0)?),
        player_id: player(row, 1)?,
        faction: row.get(2)?,
        color: row.get(3)?,
        team: row.get(4)?,
        place: row.get(5)?,
        before: Rating { mean: row.get(6)?, deviation: row.get(7)? },
        after: after.0.zip(after.1).map(|(mean, deviation)| Rating { mean, deviation }),
        score: row.get(10)?,
        has_score_time: row.get(11)?,
        result: row.get(12)?,
    })
}

fn join(row: &Row<'_>) -> rusqlite::Result<JoinFact> {
    let address: Option<String> = row.get(2)?;
    let address = address.and_then(|address| address.parse().ok());
    Ok(JoinFact { player: player(row, 0)?, game: GameId(row.get(1)?), address })
}

fn teamkill(row: &Row<'_>) -> rusqlite::Result<TeamkillFact> {
    let gametime = row.get(3)?;
    Ok(TeamkillFact {
        game_id: GameId(row.get(0)?),
        teamkiller: player(row, 1)?,
        victim: player(row, 2)?,
        gametime,
    })
}

fn mission(row: &Row<'_>) -> rusqlite::Result<MissionFact> {
    Ok(MissionFact {
        mission: row.get(0)?,
        game_id: GameId(row.get(1)?),
        secondary: row.get(2)?,
        time: row.get(3)?,
        player_count: row.get(4)?,
    })
}

fn counters(row: &Row<'_>) -> rusqlite::Result<ModFact> {
    Ok(ModFact {
        mod_id: row.get(0)?,
        likes: row.get(1)?,
        likers: row.get(2)?,
        downloads: row.get(3)?,
        times_played: row.get(4)?,
    })
}
