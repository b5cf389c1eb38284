//! Games of the matchmaker: what `game_launch` says about them, and what may go wrong.
//!
//! The game processes of a match need no person in their lobby. Each knows its own place from
//! `game_launch` and tells it to the host's process peer to peer, for which [`Introductions`]
//! stand. The host's process launches the game when all expected players are connected.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use faf_protocol::json::Json;
use faf_protocol::server_message::GameLaunch;
use faf_protocol::{GameId, PlayerId};
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::behaviour::{GameKind, GamePlan, public_game};
use crate::{Rng, Settings};

/// How long the places of a match are kept: no match is set up for longer.
const KEPT: Duration = Duration::from_secs(600);

/// A game of the matchmaker, from the view of one player.
#[derive(Debug)]
pub(crate) struct Match {
    /// Number of players.
    pub(crate) players: usize,
    title: String,
    featured_mod: String,
    map: String,
    /// Options of the queue's games.
    pub(crate) options: BTreeMap<String, Json>,
    pub(crate) place: Place,
    pub(crate) fault: Option<MatchFault>,
}

/// The place of a player in a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The start position on the map, from 0. Neighbours are enemies.
    pub(crate) seat: usize,
    pub(crate) faction: i64,
}

/// A game of a match that does not do its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchFault {
    /// The process does not start.
    NeverStarts,
    /// The process ends as soon as it has started.
    ClosesAtOnce,
    /// The player closes the game in its lobby.
    LeavesLobby,
    /// The client loses its connection while the process starts.
    LosesConnection,
    /// The process reaches no other one.
    IsUnreachable,
    /// The process of the host does not launch the game.
    NeverLaunches,
}

impl MatchFault {
    /// All faults.
    pub const ALL: [Self; 6] = [
        Self::NeverStarts,
        Self::ClosesAtOnce,
        Self::LeavesLobby,
        Self::LosesConnection,
        Self::IsUnreachable,
        Self::NeverLaunches,
    ];
}

impl Match {
    /// Reads the order to start the process of a match; `None` if it is that of another game.
    pub(crate) fn read(launch: &GameLaunch, rng: &mut Rng, settings: &Settings) -> Option<Self> {
        let players = launch.expected_players?;
        let position = usize::try_from(launch.map_position?).ok();
        let position = position.filter(|position| (1..=players).contains(position))?;
        let fault = rng.random_bool(settings.match_faults).then(|| MatchFault::ALL.choose(rng).copied());
        Some(Self {
            players,
            title: launch.name.clone(),
            featured_mod: launch.featured_mod.clone(),
            map: launch.mapname.clone()?,
            options: launch.game_options.clone(),
            place: Place { seat: position - 1, faction: launch.faction.unwrap_or(1) },
            fault: fault.flatten(),
        })
    }

    /// Returns the plan of the host.
    pub(crate) fn plan(&self) -> GamePlan {
        let request = public_game(&self.title, &self.featured_mod, &self.map);
        GamePlan { kind: GameKind::Teams, seats: self.players, sim_mods: Vec::new(), request }
    }

    /// Returns whether the process has this fault.
    pub(crate) fn has(&self, fault: MatchFault) -> bool {
        self.fault == Some(fault)
    }
}

/// The places that the game processes of matches have told the hosts.
#[derive(Debug, Default)]
pub struct Introductions(Mutex<BTreeMap<GameId, Told>>);

/// Places of players that the processes of a game have told.
#[derive(Debug, Default)]
struct Told {
    /// Time of the last introduction.
    at: Duration,
    places: BTreeMap<PlayerId, Place>,
}

impl Introductions {
    /// Tells the host of a match the place of a player.
    pub(crate) fn tell(&self, game: GameId, player: PlayerId, place: Place, now: Duration) {
        let mut games = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        games.retain(|_, told| told.at + KEPT > now);
        let told = games.entry(game).or_default();
        told.at = now;
        told.places.insert(player, place);
    }

    /// Returns the place of a player whose process reaches the host's.
    pub(crate) fn place_of(&self, game: GameId, player: PlayerId) -> Option<Place> {
        let games = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        games.get(&game).and_then(|told| told.places.get(&player)).copied()
    }
}
