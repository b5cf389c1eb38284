//! [`Game`]: one game, from the request to host it until its results are stored.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_protocol::server_message::{GameLaunch, Rating, Visibility};
use faf_protocol::{GameId, Json, PlayerId, PoolEntryId, Secret};
use serde::{Deserialize, Serialize};

use crate::client_text::cut;
use crate::clock::Timestamp;
use crate::explanation::{Decision, MatchMade};
use crate::game_options::{GameKind, GameOptions};
use crate::io::{MapVersion, Publication};
use crate::maps::is_generated_map;
use crate::matchmaking::queue::QueueId;
use crate::results::{self, Participant, Reports};
use crate::settings::Settings;
use crate::state::OnlinePlayer;
use crate::statistics::Statistics;
use crate::texts;
use crate::validity::Validity;

/// Longest title, in characters; the rest is cut (games.md section 1.1).
pub(crate) const TITLE_LIMIT: usize = 128;

/// Maximum number of players in a game, and of slots that its host may describe. A map has at most
/// 16 places, and a few players may observe. The list of games shows them all to everyone.
pub(crate) const MEMBERS_MAX: usize = 24;

/// Maximum number of remembered players who lost their connection in a lobby.
const LOST_MAX: usize = 100;

/// A game, as the lobby keeps it, and as it is saved while it is live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Game {
    pub(crate) id: GameId,
    pub(crate) kind: GameKind,
    pub(crate) state: GameState,
    pub(crate) host: Host,
    pub(crate) title: String,
    pub(crate) visibility: Visibility,
    pub(crate) is_password_protected: bool,
    /// The password that joining needs. It is dropped at launch, so that it is never stored.
    pub(crate) password: Option<Secret>,
    pub(crate) featured_mod: FeaturedMod,
    /// Technical name of the leaderboard the game is rated on.
    pub(crate) leaderboard: String,
    pub(crate) rating_min: Option<f64>,
    pub(crate) rating_max: Option<f64>,
    pub(crate) enforce_rating_range: bool,
    pub(crate) map: Map,
    pub(crate) options: GameOptions,
    /// Names of the active mods of the simulation, by uid.
    pub(crate) mods: BTreeMap<String, String>,
    /// An active mod that is not shown, because there are too many or its uid is malformed.
    #[serde(default)]
    pub(crate) unlisted_mod: Option<String>,
    /// The host's options for players. A player who has a slot is connected to the host (games.md
    /// section 4.2).
    pub(crate) slots: BTreeMap<PlayerId, Slot>,
    /// The match that is played in the game; `None` for games that players host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) arranged: Option<Box<Arranged>>,
    /// Start spots of AIs, by name.
    pub(crate) ais: BTreeMap<String, Option<i64>>,
    /// Players whose game is connected, in order of arrival.
    pub(crate) members: Vec<PlayerId>,
    /// Players whose join attempt was recorded; their further attempts are not.
    pub(crate) noted: BTreeSet<PlayerId>,
    /// Players who lost their connection in the lobby and may return.
    pub(crate) lost: BTreeSet<PlayerId>,
    /// Members whose own process has sent `Launching`, before or after the host's; all processes
    /// send it at the same time.
    #[serde(default)]
    pub(crate) launching: BTreeSet<PlayerId>,
    pub(crate) hosted_at: Option<Timestamp>,
    /// Whether the game was reported to other clients.
    pub(crate) is_told: bool,
    /// State since the launch.
    pub(crate) live: Option<Live>,
}

/// State of a game (games.md section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GameState {
    /// The host's game process is starting.
    Initializing,
    /// Players can join.
    Lobby,
    /// It is being played.
    Live,
    /// It is over, or was never opened.
    Ended,
}

/// The player who opened a game. The host's friends and foes decide who sees it, even while the
/// host is offline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) id: PlayerId,
    pub(crate) login: String,
    pub(crate) friends: BTreeSet<PlayerId>,
    pub(crate) foes: BTreeSet<PlayerId>,
}

/// A featured mod that the server offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FeaturedMod {
    pub(crate) id: u32,
    pub(crate) name: String,
}

/// The map of a game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Map {
    /// Folder name, lower-case.
    pub(crate) folder: String,
    /// Number of the version in the vault; `None` for maps that are not in the vault.
    pub(crate) version: Option<u32>,
    pub(crate) is_ranked: bool,
}

/// The part of a game that the matchmaker has arranged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Arranged {
    pub(crate) queue: QueueId,
    /// The place of each player. The host's process sends the same as options of the players, which
    /// shows that it is connected to them.
    pub(crate) slots: BTreeMap<PlayerId, Slot>,
    /// Entry of the map pool.
    pub(crate) entry: PoolEntryId,
    /// Options of the queue's games, as clients are sent them.
    pub(crate) options: BTreeMap<String, Json>,
    /// How the match was made, until the launch makes it the game's first decision.
    #[serde(default)]
    pub(crate) made: Option<Box<MatchMade>>,
}

/// The host's options for one player.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slot {
    pub(crate) team: Option<i64>,
    pub(crate) army: Option<i64>,
    pub(crate) start_spot: Option<i64>,
    pub(crate) faction: Option<i64>,
    pub(crate) color: Option<i64>,
}

/// A player who was in the game when it was launched, and does not only observe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LivePlayer {
    /// The player.
    pub id: PlayerId,
    /// Name of the account.
    pub login: String,
    /// Number of the army.
    pub army: i64,
    /// Number of the team; 1 means no team.
    pub team: Option<i64>,
    /// Place on the map.
    pub start_spot: Option<i64>,
    /// Number of the faction; 0 if the host has not set it.
    pub faction: i64,
    /// Number of the colour; 0 if the host has not set it.
    pub color: i64,
    /// The rating before the game on its leaderboard.
    pub rating: Rating,
}

/// The part of a game that begins with its launch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Live {
    pub(crate) launched_at: Timestamp,
    pub(crate) clock: GameClock,
    /// Time of the last message about the game, by its clock.
    pub(crate) last_heard: Duration,
    pub(crate) players: Vec<LivePlayer>,
    pub(crate) validity: Validity,
    /// The reasons so far why the game is rated or not.
    pub(crate) decisions: Vec<Decision>,
    pub(crate) reports: Reports,
    pub(crate) statistics: Option<Statistics>,
    /// Players whose achievements have been counted.
    pub(crate) counted: BTreeSet<PlayerId>,
    /// Number of `Desync` messages of each player, as far as they count.
    #[serde(default)]
    pub(crate) desyncs_by: BTreeMap<PlayerId, u32>,
    /// Whether the game counts however short it is.
    pub(crate) enforces_rating: bool,
    /// Players whose own process has shown that its simulation began: it has sent `Launching`, or
    /// any report.
    #[serde(default)]
    pub(crate) begun: BTreeSet<PlayerId>,
    /// Players whose simulation or process has ended. They do not return.
    pub(crate) done: BTreeSet<PlayerId>,
    /// Time at which all simulations had ended, by the game's clock.
    pub(crate) finished: Option<Duration>,
    /// Time at which the game ends although some players have not ended it, by the lobby's clock;
    /// `None` as long as the others do not agree.
    #[serde(default)]
    pub(crate) overdue: Option<Duration>,
    /// Number of statistics that each player has sent.
    #[serde(default)]
    pub(crate) statistics_by: BTreeMap<PlayerId, u32>,
    /// Publications that wait until the write that counts them is stored.
    pub(crate) unpublished: Vec<Publication>,
    /// Number of publications that writes have carried so far.
    #[serde(default)]
    pub(crate) published: u32,
    /// Number of team kills that were recorded.
    pub(crate) teamkills: u32,
    /// Whether the completion of the mission was recorded.
    pub(crate) is_mission_complete: bool,
    /// Players who have lost their connection, with the time until which the game waits for them,
    /// by the lobby's clock.
    pub(crate) awaited: BTreeMap<PlayerId, Duration>,
}

/// Clock of a live game, which changes of the time of day do not affect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GameClock {
    /// Duration of the game when the lobby's clock stood at `since`.
    base: Duration,
    since: Duration,
}

impl GameClock {
    /// Creates the clock of a game that has been live for `base` at this time of the lobby's clock.
    pub(crate) fn new(base: Duration, now: Duration) -> Self {
        Self { base, since: now }
    }

    pub(crate) fn at(self, now: Duration) -> Duration {
        self.base + now.saturating_sub(self.since)
    }
}

/// Returns the title as it is shown: without blanks around it, and cut.
///
/// # Errors
/// The text for the player, if the title is empty or not plain text.
pub(crate) fn title(text: &str) -> Result<String, &'static str> {
    if !text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_control()) {
        return Err(texts::TITLE_NOT_ASCII);
    }
    match cut(text.trim().to_owned(), TITLE_LIMIT) {
        title if title.is_empty() => Err(texts::TITLE_EMPTY),
        title => Ok(title),
    }
}

impl Host {
    pub(crate) fn of(online: &OnlinePlayer) -> Self {
        Self {
            id: online.info.id,
            login: online.info.login.clone(),
            friends: online.friends.clone(),
            foes: online.foes.clone(),
        }
    }
}

impl Game {
    /// Creates a game whose host's process is starting. It is for all players, without a password
    /// and without bounds of ratings.
    pub(crate) fn new(
        id: GameId,
        kind: GameKind,
        host: Host,
        title: String,
        featured_mod: FeaturedMod,
        leaderboard: String,
        map: Map,
    ) -> Self {
        Self {
            id,
            kind,
            state: GameState::Initializing,
            host,
            title,
            visibility: Visibility::Public,
            is_password_protected: false,
            password: None,
            featured_mod,
            leaderboard,
            rating_min: None,
            rating_max: None,
            enforce_rating_range: false,
            map,
            options: GameOptions::new(kind),
            mods: BTreeMap::new(),
            unlisted_mod: None,
            slots: BTreeMap::new(),
            arranged: None,
            ais: BTreeMap::new(),
            members: Vec::new(),
            noted: BTreeSet::new(),
            lost: BTreeSet::new(),
            launching: BTreeSet::new(),
            hosted_at: None,
            is_told: false,
            live: None,
        }
    }

    /// Returns the players of a live game who have not ended it, and so may return to it.
    pub(crate) fn awaited(&self) -> impl Iterator<Item = PlayerId> {
        let live = self.live.iter().filter(|_| self.state == GameState::Live);
        live.flat_map(|live| live.players.iter().map(|player| player.id).filter(|id| !live.done.contains(id)))
    }

    /// Returns whether a player may return to the game.
    pub(crate) fn awaits(&self, player: PlayerId) -> bool {
        self.awaited().any(|awaited| awaited == player)
    }

    /// Number of the game.
    #[must_use]
    pub fn id(&self) -> GameId {
        self.id
    }

    /// State of the game.
    #[must_use]
    pub fn state(&self) -> GameState {
        self.state
    }

    /// The player who opened the game.
    #[must_use]
    pub fn host(&self) -> PlayerId {
        self.host.id
    }

    /// Sets the friends and foes of the host, who may have changed them after the game was saved.
    pub fn set_lists_of_host(&mut self, friends: BTreeSet<PlayerId>, foes: BTreeSet<PlayerId>) {
        (self.host.friends, self.host.foes) = (friends, foes);
    }

    /// Players whose game is connected, in order of arrival.
    #[must_use]
    pub fn members(&self) -> &[PlayerId] {
        &self.members
    }

    /// Technical name of the featured mod.
    #[must_use]
    pub fn featured_mod(&self) -> &str {
        &self.featured_mod.name
    }

    /// Technical name of the leaderboard on which the game is rated.
    #[must_use]
    pub fn leaderboard(&self) -> &str {
        &self.leaderboard
    }

    /// Whether the game counts, as far as that is known; `None` before the launch.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        self.live.as_ref().map(|live| live.validity)
    }

    /// The reasons so far why the game is rated or not.
    #[must_use]
    pub fn decisions(&self) -> &[Decision] {
        self.live.as_ref().map_or(&[], |live| &live.decisions)
    }

    /// Returns whether the game is shown to players, as open or as being played. A lobby is shown
    /// from the moment when the host's process says that others can connect, whenever that
    /// is reported.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        match self.state {
            GameState::Lobby => self.hosted_at.is_some(),
            GameState::Live => true,
            GameState::Initializing | GameState::Ended => false,
        }
    }

    /// Players who have a place in the game since the launch, without observers; none before.
    pub fn seated(&self) -> impl Iterator<Item = PlayerId> {
        self.live.iter().flat_map(|live| &live.players).map(|player| player.id)
    }

    pub(crate) fn is_member(&self, player: PlayerId) -> bool {
        self.members.contains(&player)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.members.len() >= MEMBERS_MAX
    }

    /// Members to whom the host is connected, in order of arrival.
    pub(crate) fn connected(&self) -> impl Iterator<Item = (PlayerId, &Slot)> {
        self.members.iter().filter_map(|player| Some((*player, self.slots.get(player)?)))
    }

    /// Adds a player whose game is connected.
    pub(crate) fn add_member(&mut self, player: PlayerId) {
        self.lost.remove(&player);
        if let Some(live) = &mut self.live {
            live.awaited.remove(&player);
        }
        if !self.is_member(player) {
            self.members.push(player);
        }
    }

    /// Returns the slot of a player, and creates it if necessary. If all slots are taken, an absent
    /// player loses theirs; `None` if all players in the slots are present.
    pub(crate) fn slot(&mut self, player: PlayerId) -> Option<&mut Slot> {
        if self.slots.len() >= MEMBERS_MAX && !self.slots.contains_key(&player) {
            let absent = self.slots.keys().copied().find(|known| !self.members.contains(known))?;
            self.slots.remove(&absent);
        }
        let arranged = self.arranged.as_ref().and_then(|arranged| arranged.slots.get(&player));
        Some(self.slots.entry(player).or_insert_with(|| arranged.cloned().unwrap_or_default()))
    }

    /// Returns the message that makes a player's client start its game process.
    pub(crate) fn launch_message(&self, player: PlayerId, rated_games: u32) -> GameLaunch {
        let arranged = self.arranged.as_ref();
        let slot = arranged.and_then(|arranged| arranged.slots.get(&player));
        GameLaunch {
            args: ("/numgames".to_owned(), rated_games),
            uid: self.id,
            featured_mod: self.featured_mod.name.clone(),
            name: self.title.clone(),
            init_mode: arranged.is_some().into(),
            game_type: self.game_type(),
            rating_type: self.leaderboard.clone(),
            mapname: arranged.map(|_| self.map.folder.clone()),
            team: slot.and_then(|slot| slot.team),
            faction: slot.and_then(|slot| slot.faction),
            expected_players: arranged.map(|arranged| arranged.slots.len()),
            map_position: slot.and_then(|slot| slot.start_spot),
            game_options: arranged.map(|arranged| arranged.options.clone()).unwrap_or_default(),
            map_pool_map_version_id: arranged.map(|arranged| arranged.entry),
        }
    }

    /// Records that a player has lost the connection in the lobby and may return.
    pub(crate) fn lose(&mut self, player: PlayerId) {
        if self.lost.len() >= LOST_MAX {
            self.lost.pop_first();
        }
        self.lost.insert(player);
    }

    /// Time that the host's game process, or a guest's, has to start (games.md section 3.1).
    pub(crate) fn setup_timeout(&self, settings: &Settings) -> Duration {
        match self.kind {
            GameKind::Custom => settings.game_setup_timeout,
            GameKind::Coop | GameKind::Matchmaker => settings.game_setup_timeout * 2,
        }
    }
}

impl Map {
    /// Creates a map that has not been looked up.
    pub(crate) fn unknown(folder: String) -> Self {
        Self { folder, version: None, is_ranked: false }
    }

    /// Takes over the result of a look-up in the vault. Generated maps are ranked without
    /// being there.
    pub(crate) fn look_up(&mut self, found: Option<MapVersion>) {
        self.version = found.map(|found| found.id);
        self.is_ranked = found.map_or_else(|| is_generated_map(&self.folder), |found| found.is_ranked);
    }
}

impl Slot {
    /// Sets an option that the lobby knows; only the games themselves keep the others.
    pub(crate) fn set(&mut self, key: &str, value: i64) {
        let option = match key {
            "Team" => &mut self.team,
            "Army" => &mut self.army,
            "StartSpot" => &mut self.start_spot,
            "Faction" => &mut self.faction,
            "Color" => &mut self.color,
            _ => return,
        };
        *option = Some(value);
    }

    /// Makes the player in the slot an observer.
    pub(crate) fn clear(&mut self) {
        (self.team, self.army, self.start_spot) = (Some(-1), Some(-1), Some(-1));
    }
}

impl Live {
    pub(crate) fn new(launched_at: Timestamp, now: Duration) -> Self {
        Self { launched_at, clock: GameClock::new(Duration::ZERO, now), ..Self::default() }
    }

    /// Returns the players, for the rules.
    pub(crate) fn participants(&self) -> Vec<Participant> {
        let participant = |player: &LivePlayer| Participant {
            player: player.id,
            army: Some(player.army),
            team: player.team,
        };
        self.players.iter().map(participant).collect()
    }

    /// Returns whether the reports of a player count: those of an observer do only if nobody plays.
    pub(crate) fn counts_reports_of(&self, player: PlayerId) -> bool {
        self.players.is_empty() || self.player(player).is_some()
    }

    /// Returns whether a player who is in the game, or is awaited, has not ended it.
    pub(crate) fn is_played_by(&self, player: PlayerId) -> bool {
        self.counts_reports_of(player) && !self.done.contains(&player)
    }

    /// Returns whether a player still plays, or is expected to. Observers do not keep a game going.
    pub(crate) fn is_running_for(&self, members: &[PlayerId]) -> bool {
        members.iter().chain(self.awaited.keys()).any(|player| self.is_played_by(*player))
    }

    /// Returns whether the result is known, and only waits for players who neither end their game
    /// nor send anything.
    pub(crate) fn is_agreed(&self, members: &[PlayerId]) -> bool {
        let is_here = |player: &PlayerId| members.contains(player) || self.awaited.contains_key(player);
        let has_ended = |player: PlayerId| self.done.contains(&player) || !is_here(&player);
        results::is_agreed(&self.participants(), &self.counting_reports(), has_ended)
    }

    /// Returns the reports that count.
    pub(crate) fn counting_reports(&self) -> Reports {
        self.reports.counting(|reporter| self.player(reporter).is_some())
    }

    /// Records a message about the game from a player's process.
    pub(crate) fn record_message_from(&mut self, player: PlayerId, now: Duration) {
        self.record_message(now);
        self.begun.insert(player);
    }

    /// Records that a message about the game has arrived.
    pub(crate) fn record_message(&mut self, now: Duration) {
        self.last_heard = self.clock.at(now);
    }

    pub(crate) fn player(&self, player: PlayerId) -> Option<&LivePlayer> {
        self.players.iter().find(|candidate| candidate.id == player)
    }

    pub(crate) fn has_army(&self, army: i64) -> bool {
        self.players.iter().any(|player| player.army == army)
    }
}
