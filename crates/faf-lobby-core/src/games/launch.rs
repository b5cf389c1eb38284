//! The launch: fixes who plays, and whether the game counts, as far as that is known (games.md
//! section 8.1).

use faf_protocol::{GameId, PlayerId};

use crate::explanation::Decision;
use crate::games::{Leaving, joining, persistence};
use crate::io::{ConnId, LogLine, MapVersion};
use crate::matches;
use crate::state::{
    Activity, GameLaunched, GameState, GameWrite, Live, LivePlayer, Lobby, OnlinePlayer, Progress, Slot,
};
use crate::validity::{self, LaunchFacts};

/// Launches a game that is in its lobby.
pub(crate) fn launch(
    lobby: &mut Lobby,
    id: GameId,
    map: Option<Option<MapVersion>>,
    conn: ConnId,
) -> Progress {
    let now = lobby.now.utc;
    let Some(game) = lobby.games.get_mut(id) else { return Progress::Done };
    if let Some(found) = map {
        game.map.look_up(found);
    }
    let plays = |(_, slot): &(PlayerId, &Slot)| slot.army.is_some_and(|army| army >= 0);
    let mut live = Live::new(now, lobby.now.elapsed);
    for (player, slot) in game.connected().filter(plays) {
        let Some(online) = lobby.players.get(player) else { continue };
        live.players.push(LivePlayer {
            id: player,
            login: online.info.login.clone(),
            army: slot.army.unwrap_or_default(),
            team: slot.team,
            start_spot: slot.start_spot,
            faction: slot.faction.unwrap_or_default(),
            color: slot.color.unwrap_or_default(),
            rating: online.rating_on(&lobby.data.leaderboards, &game.leaderboard),
        });
    }
    let unranked_mod = game.mods.keys().find(|uid| !lobby.data.ranked_mods.contains(&uid.to_lowercase()));
    let unranked_mod = unranked_mod.or(game.unlisted_mod.as_ref());
    let checks = validity::check_at_launch(&LaunchFacts {
        kind: game.kind,
        options: &game.options,
        participants: &live.participants(),
        has_ai: !game.ais.is_empty(),
        unranked_mod: unranked_mod.map(String::as_str),
        map_is_ranked: game.map.is_ranked,
    });
    live.validity = checks.validity;
    let made = game.arranged.as_mut().and_then(|arranged| arranged.made.take());
    live.decisions.extend(made.map(Decision::Matched));
    live.decisions.push(Decision::Launched { at: now, players: live.players.len() });
    live.decisions.extend(checks.checks.into_iter().map(Decision::Check));
    let players = live.players.clone();
    live.begun = std::mem::take(&mut game.launching);
    game.live = Some(live);
    game.state = GameState::Live;
    // Dropped, because the game is saved with every result.
    game.password = None;
    game.lost.clear();
    game.noted.clear();
    game.options.keep_only(&["CheatsEnabled"]);
    let launched = GameLaunched {
        featured_mod: game.featured_mod.id,
        host: game.host.id,
        map_version: game.map.version,
        queue: game.arranged.as_ref().map(|arranged| arranged.queue),
        title: game.title.clone(),
        victory: game.options.victory(),
        validity: checks.validity,
        mods: game.mods.keys().cloned().collect(),
        launched_at: now,
        game: game.clone(),
        players,
    };
    lobby.log(LogLine::GameLaunched { game: id, players: launched.players.len() });
    for player in &launched.players {
        if let Some(online) = lobby.players.get_mut(player.id) {
            online.activity = Activity::Playing;
        }
    }
    matches::launched(lobby, id);
    lobby.games.mark(id);
    let progress = persistence::store(lobby, id, GameWrite::Launch(Box::new(launched)), Some(conn));
    remove_late_guests(lobby, id);
    progress
}

/// Ends the game connections of guests who have not come into the lobby in time.
fn remove_late_guests(lobby: &mut Lobby, id: GameId) {
    let Some(game) = lobby.games.get(id) else { return };
    let is_late = |player: &&OnlinePlayer| {
        player.game.as_ref().is_some_and(|own| own.game == id) && !game.is_member(player.info.id)
    };
    let late: Vec<PlayerId> = lobby.players.iter().filter(is_late).map(|player| player.info.id).collect();
    for player in late {
        joining::leave_game(lobby, player, Leaving::Aborted);
    }
}
