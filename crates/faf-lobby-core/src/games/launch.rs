//! The launch: who plays is settled, and whether the game counts, as far as that is known (games.md section 8.1).

use std::time::Duration;

use faf_protocol::{GameId, PlayerId};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::commands::Progress;
use crate::effect::LogLine;
use crate::event::{ConnId, MapVersion};
use crate::explanation::Decision;
use crate::game_options::VictoryCondition;
use crate::games::connection::Leaving;
use crate::games::game::{Game, GameClock, GameState, Live, LivePlayer, Slot};
use crate::games::storage::GameWrite;
use crate::players::{Activity, OnlinePlayer};
use crate::results::Reports;
use crate::validity::{self, LaunchFacts, Validity};
use crate::world::World;

/// What is stored when a game is launched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GameLaunched {
    /// The game, to be kept until it is over.
    pub game: Game,
    /// Number of the featured mod.
    pub featured_mod: u32,
    /// The player who has made it.
    pub host: PlayerId,
    /// Number of the map's version; none for maps that are not in the vault.
    pub map_version: Option<u32>,
    /// Title.
    pub title: String,
    /// How the game is won.
    pub victory: VictoryCondition,
    /// Whether it counts, as far as that is known.
    pub validity: Validity,
    /// When.
    pub launched_at: Timestamp,
    /// Uids of the active mods, which were played once more.
    pub mods: Vec<String>,
    /// Who plays.
    pub players: Vec<LivePlayer>,
}

impl World {
    /// Launches a game that is in its lobby.
    pub(crate) fn launch(&mut self, id: GameId, map: Option<Option<MapVersion>>, conn: ConnId) -> Progress {
        let now = self.now.utc;
        let Some(game) = self.games.get_mut(id) else { return Progress::Done };
        if let Some(found) = map {
            game.map.look_up(found);
        }
        let plays = |(_, slot): &(PlayerId, &Slot)| slot.army.is_some_and(|army| army >= 0);
        let mut live = Live::new(now, self.now.elapsed);
        for (player, slot) in game.connected().filter(plays) {
            let Some(online) = self.players.get(player) else { continue };
            live.players.push(LivePlayer {
                id: player,
                login: online.info.login.clone(),
                army: slot.army.unwrap_or_default(),
                team: slot.team,
                start_spot: slot.start_spot,
                faction: slot.faction.unwrap_or_default(),
                color: slot.color.unwrap_or_default(),
                rating: online.rating(&game.leaderboard),
            });
        }
        let unranked_mod = game.mods.keys().find(|uid| !self.data.ranked_mods.contains(&uid.to_lowercase()));
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
        live.decisions.push(Decision::Launched { at: now, players: live.players.len() });
        live.decisions.extend(checks.checks.into_iter().map(Decision::Check));
        let players = live.players.clone();
        live.begun = std::mem::take(&mut game.launching);
        game.live = Some(live);
        game.state = GameState::Live;
        // What is not needed any more is not saved with every result.
        game.password = None;
        game.lost.clear();
        game.noted.clear();
        game.options.keep_only(&["CheatsEnabled"]);
        let launched = GameLaunched {
            featured_mod: game.featured_mod.id,
            host: game.host.id,
            map_version: game.map.version,
            title: game.title.clone(),
            victory: game.options.victory(),
            validity: checks.validity,
            mods: game.mods.keys().cloned().collect(),
            launched_at: now,
            game: game.clone(),
            players,
        };
        self.log(LogLine::GameLaunched { game: id, players: launched.players.len() });
        for player in &launched.players {
            if let Some(online) = self.players.get_mut(player.id) {
                online.activity = Activity::Playing;
            }
        }
        self.games.mark(id);
        let progress = self.store(id, GameWrite::Launch(Box::new(launched)), Some(conn));
        self.turn_late_guests_away(id);
        progress
    }

    /// Ends the game connections of those who have not come into the lobby in time.
    fn turn_late_guests_away(&mut self, id: GameId) {
        let Some(game) = self.games.get(id) else { return };
        let is_late = |player: &&OnlinePlayer| {
            player.game.as_ref().is_some_and(|own| own.game == id) && !game.is_member(player.info.id)
        };
        let late: Vec<PlayerId> = self.players.iter().filter(is_late).map(|player| player.info.id).collect();
        for player in late {
            self.leave_game(player, Leaving::Aborted);
        }
    }
}

impl Live {
    fn new(launched_at: Timestamp, now: Duration) -> Self {
        Self {
            launched_at,
            clock: GameClock::new(Duration::ZERO, now),
            last_heard: Duration::ZERO,
            players: Vec::new(),
            validity: Validity::Valid,
            decisions: Vec::new(),
            reports: Reports::default(),
            statistics: None,
            counted: Default::default(),
            desyncs_by: Default::default(),
            enforces_rating: false,
            begun: Default::default(),
            done: Default::default(),
            finished: None,
            overdue: None,
            statistics_by: Default::default(),
            unpublished: Vec::new(),
            published: 0,
            teamkills: 0,
            is_mission_complete: false,
            awaited: Default::default(),
        }
    }
}
