//! The end of a game: who has won, whether the game counts, and what is stored of it (games.md
//! section 8.2, game-results.md section 4).

use std::collections::{BTreeMap, BTreeSet};

use faf_protocol::{GameId, PlayerId};

use crate::explanation::Decision;
use crate::game_options::GameKind;
use crate::games::{persistence, repeats};
use crate::io::{ArmyResult, Count, GameResults, LogLine, Publication, TeamResults};
use crate::ratings::RatedTeam;
use crate::results::{self, ArmyVerdict, Outcome, Resolution};
use crate::state::{
    Game, GameEnd, GameState, GameWrite, Limit, Live, LivePlayer, Lobby, PlayerResult, RatedGame, Timer,
};
use crate::statistics;
use crate::texts;
use crate::validity::{self, EndFacts, Results};

/// Ends a game if nothing keeps it going. Called when a player has left it, or a simulation
/// has ended.
pub(crate) fn check_end(lobby: &mut Lobby, id: GameId, leaver: Option<PlayerId>) {
    let Some(game) = lobby.games.get_mut(id) else { return };
    match (game.state, &mut game.live) {
        (GameState::Ended, _) => {}
        (GameState::Live, Some(live)) => {
            if live.finished.is_none() && !live.is_running_for(&game.members) {
                live.finished = Some(live.last_heard);
            }
            if live.finished.is_some() {
                return end_live(lobby, id);
            }
            if !live.is_agreed(&game.members) {
                live.overdue = None;
            } else if live.overdue.is_none() {
                let due = lobby.now.elapsed + lobby.settings.game_end_timeout;
                live.overdue = Some(due);
                lobby.timers.set(due, Timer::Overdue(id));
            }
        }
        _ => {
            if game.members.is_empty() || leaver == Some(game.host.id) {
                end_unlaunched(lobby, id);
            }
        }
    }
}

/// Ends a game on whose result all others agreed some time ago: silent players do not delay it.
pub(crate) fn game_is_overdue(lobby: &mut Lobby, id: GameId) {
    let now = lobby.now.elapsed;
    let Some(game) = lobby.games.get_mut(id).filter(|game| game.state == GameState::Live) else { return };
    // By now they may disagree, or have agreed again, which starts the time again.
    let is_due = |live: &&mut Live| live.overdue.is_some_and(|due| due <= now);
    let Some(live) = game.live.as_mut().filter(is_due) else { return };
    let is_late = |player: &&LivePlayer| {
        let is_here = game.members.contains(&player.id) || live.awaited.contains_key(&player.id);
        is_here && live.is_played_by(player.id)
    };
    let players = live.players.iter().filter(is_late).map(|player| player.login.clone()).collect();
    live.decisions.push(Decision::NotWaitedFor { players });
    live.finished = Some(live.last_heard);
    end_live(lobby, id);
}

/// Ends a game that was never launched.
pub(crate) fn end_unlaunched(lobby: &mut Lobby, id: GameId) {
    if let Some(game) = lobby.games.get_mut(id) {
        game.state = GameState::Ended;
        lobby.games.mark(id);
    }
}

/// Ends a live game: decides everything about its results, and stores it.
fn end_live(lobby: &mut Lobby, id: GameId) {
    let Some(game) = lobby.games.get_mut(id) else { return };
    game.state = GameState::Ended;
    let Some(live) = &mut game.live else { return };
    live.awaited.clear();
    let lasted = live.finished.unwrap_or(live.last_heard);
    let ended_at = live.launched_at.after(lasted);
    let reports = live.counting_reports();
    let resolution = results::resolve_teams(&live.participants(), &reports);
    let absent = live.players.iter().find(|player| !live.begun.contains(&player.id));
    let facts = EndFacts {
        desyncs: live.desyncs_by.values().sum(),
        has_reports: !reports.is_empty(),
        absent: absent.map(|player| player.login.as_str()),
        enforces_rating: live.enforces_rating,
        is_short: validity::is_short(lasted, live.players.len()),
        is_resolved: resolution.is_resolved(),
    };
    let mut checks = validity::check_at_end(live.validity, game.kind, facts);
    let most = lobby.settings.rated_games_per_pair;
    let repeated = repeats::check(&mut checks, &resolution, &mut lobby.limits, most, lobby.now.elapsed);
    live.validity = checks.validity;
    live.decisions.push(Decision::Ended { at: ended_at });
    let ignored = live.reports.iter().count() - reports.iter().count();
    if ignored > 0 {
        live.decisions.push(Decision::Ignored { reports: ignored });
    }
    let of_player = |player: &LivePlayer| (player.id, reports.verdict(player.army));
    let verdicts: BTreeMap<PlayerId, ArmyVerdict> = live.players.iter().map(of_player).collect();
    live.decisions.extend(live.players.iter().map(|player| {
        let verdict = &verdicts[&player.id];
        Decision::Army {
            player: player.login.clone(),
            army: player.army,
            outcome: verdict.outcome,
            votes: verdict.votes.clone(),
            score: verdict.score,
        }
    }));
    live.decisions.push(Decision::Teams { rule: resolution.rule });
    live.decisions.extend(checks.checks.into_iter().map(Decision::Check));
    let rated = (checks.results == Results::Rated)
        .then(|| rated_teams(&resolution))
        .flatten()
        .map(|teams| RatedGame { leaderboard: game.leaderboard.clone(), teams });
    live.decisions.push(match &rated {
        Some(rated) => Decision::Rated { leaderboard: rated.leaderboard.clone() },
        None => Decision::NotRated { validity: checks.validity },
    });
    let has_results = checks.results != Results::Dropped;
    let result = |player: &LivePlayer| {
        let verdict = &verdicts[&player.id];
        // Scores of matches count victories (game-results.md section 2).
        let score = match game.kind {
            GameKind::Matchmaker => i8::from(verdict.outcome == Outcome::Victory),
            GameKind::Custom | GameKind::Coop => verdict.stored_score(),
        };
        PlayerResult { player: player.id, outcome: verdict.outcome, score }
    };
    let end = GameEnd {
        validity: checks.validity,
        ended_at,
        results: if has_results { live.players.iter().map(result).collect() } else { Vec::new() },
        published: has_results.then(|| published(game, &resolution, &verdicts)).flatten(),
        rated,
        decisions: game.decisions().to_vec(),
    };
    lobby.log(LogLine::GameEnded { game: id, validity: end.validity });
    if let Some(rated) = &end.rated {
        lobby.count(Count::RatedGame(rated.leaderboard.clone()));
    }
    lobby.games.mark(id);
    persistence::store(lobby, id, GameWrite::End(Box::new(end)), None);
    notify_repeated(lobby, id, &repeated);
}

/// Notifies the players because of whom a game is not rated.
fn notify_repeated(lobby: &mut Lobby, id: GameId, players: &BTreeSet<PlayerId>) {
    if players.is_empty() {
        return;
    }
    lobby.count(Count::Limited(Limit::RatedGames));
    let conns = players.iter().filter_map(|player| lobby.players.conn(*player)).collect();
    let text = texts::too_many_rated_games(id, lobby.settings.rated_games_per_pair);
    lobby.send_several(conns, texts::information(text));
}

/// Counts the achievements of players whose results and statistics have arrived (game-results.md
/// section 8.1). They are published once the count is stored, so that nothing is counted twice,
/// whatever happens to the lobby.
pub(crate) fn count_achievements(lobby: &mut Lobby, id: GameId) {
    let Some(game) = lobby.games.get_mut(id) else { return };
    let has_cheats =
        game.options.get("CheatsEnabled").is_none_or(|value| value.as_ref().text() != "\"false\"");
    let Some(live) = game.live.as_mut().filter(|_| !has_cheats) else { return };
    let reports = live.counting_reports();
    let Some(statistics) = &live.statistics else { return };
    for player in &live.players {
        if !reports.has(player.army) || !live.counted.insert(player.id) {
            continue;
        }
        let outcome = reports.verdict(player.army).outcome;
        let (is_known, has_won) = (outcome != Outcome::Unknown, outcome == Outcome::Victory);
        let of_player =
            statistics::updates(player.id, &player.login, is_known, has_won, &game.leaderboard, statistics);
        if let Some(statistics::Updates { achievements, events }) = of_player {
            live.unpublished.extend(achievements.into_iter().map(Publication::Achievement));
            live.unpublished.extend(events.into_iter().map(Publication::Event));
        }
    }
}

fn rated_teams(resolution: &Resolution) -> Option<[RatedTeam; 2]> {
    let teams: Vec<RatedTeam> = resolution
        .teams
        .iter()
        .map(|team| RatedTeam { outcome: team.outcome, players: team.players.clone() })
        .collect();
    teams.try_into().ok()
}

fn published(
    game: &Game,
    resolution: &Resolution,
    verdicts: &BTreeMap<PlayerId, ArmyVerdict>,
) -> Option<GameResults> {
    let live = game.live.as_ref()?;
    let army_result = |player: &PlayerId| ArmyResult {
        player_id: *player,
        army: live.player(*player).map(|player| player.army),
        army_outcome: verdicts[player].outcome,
        metadata: verdicts[player].metadata.clone(),
    };
    let teams = resolution.teams.iter().map(|team| TeamResults {
        outcome: team.outcome,
        player_ids: team.players.clone(),
        army_results: team.players.iter().map(army_result).collect(),
    });
    Some(GameResults {
        game_id: game.id,
        rating_type: game.leaderboard.clone(),
        map_id: game.map.version,
        featured_mod: game.featured_mod.name.clone(),
        sim_mod_ids: game.mods.keys().cloned().collect(),
        commander_kills: live
            .statistics
            .as_ref()
            .map(statistics::Statistics::commander_kills)
            .unwrap_or_default(),
        validity: live.validity,
        teams: teams.collect(),
    })
}
