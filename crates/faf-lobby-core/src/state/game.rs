//! [`Game`]: one game, from the request to host it until its results are stored.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_protocol::server_message::{Rating, Visibility};
use faf_protocol::{GameId, PlayerId, Secret};
use serde::{Deserialize, Serialize};

use crate::client_text::cut;
use crate::clock::Timestamp;
use crate::explanation::Decision;
use crate::game_options::{GameKind, GameOptions};
use crate::io::publication::Publication;
use crate::io::records::MapVersion;
use crate::maps::is_generated_map;
use crate::results;
use crate::results::{Participant, Reports};
use crate::settings::Settings;
use crate::statistics::Statistics;
use crate::texts;
use crate::validity::Validity;

/// Longest title, in characters; the rest is cut (games.md section 1.1).
const TITLE_LIMIT: usize = 128;

/// Players in a game, and slots its host may describe. A map has at most 16 places, and a few may
/// watch. The list of games shows all of them to everybody.
pub(crate) const MEMBERS_MAX: usize = 24;

/// Players who are remembered to have lost their connection in a lobby.
const LOST_MAX: usize = 100;

/// A game, as the lobby keeps it and as it is saved while it is live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Game {
    pub(crate) id: GameId,
    pub(crate) kind: GameKind,
    pub(crate) state: GameState,
    pub(crate) host: Host,
    pub(crate) title: String,
    pub(crate) visibility: Visibility,
    pub(crate) is_password_protected: bool,
    /// Needed to join; forgotten at launch, so that it is never stored.
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
    /// The host's options for players; a player in here is connected to the host (games.md section
    /// 4.2).
    pub(crate) slots: BTreeMap<PlayerId, Slot>,
    /// Start spots of AIs, by name.
    pub(crate) ais: BTreeMap<String, Option<i64>>,
    /// Players whose game is connected, in the order they came.
    pub(crate) members: Vec<PlayerId>,
    /// Players whose wish to join was noted; further wishes of theirs are not.
    pub(crate) noted: BTreeSet<PlayerId>,
    /// Players who lost their connection in the lobby, and may come back.
    pub(crate) lost: BTreeSet<PlayerId>,
    /// Members whose own process has said `Launching`, before or after the host's; all processes
    /// say so at the same time.
    #[serde(default)]
    pub(crate) launching: BTreeSet<PlayerId>,
    pub(crate) hosted_at: Option<Timestamp>,
    /// Others have been told of it.
    pub(crate) is_told: bool,
    /// Everything since the launch.
    pub(crate) live: Option<Live>,
}

/// How far a game has come (games.md section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GameState {
    /// The host's game is being started.
    Initializing,
    /// Players can join.
    Lobby,
    /// It is being played.
    Live,
    /// It is over, or was never opened.
    Ended,
}

/// The player who has made a game. The host's lists decide who sees it, also while the host is
/// away.
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
    /// Number of the version in the vault; none for maps that are not there.
    pub(crate) version: Option<u32>,
    pub(crate) is_ranked: bool,
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
    /// Number of the team; 1 is none.
    pub team: Option<i64>,
    /// Place on the map.
    pub start_spot: Option<i64>,
    /// Faction, 0 if the host has not said.
    pub faction: i64,
    /// Colour, 0 if the host has not said.
    pub color: i64,
    /// The rating before the game on its leaderboard.
    pub rating: Rating,
}

/// The part of a game that begins with its launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Live {
    pub(crate) launched_at: Timestamp,
    pub(crate) clock: GameClock,
    /// When anything was last heard of the game, by its clock.
    pub(crate) last_heard: Duration,
    pub(crate) players: Vec<LivePlayer>,
    pub(crate) validity: Validity,
    /// Why the game is rated or not, so far.
    pub(crate) decisions: Vec<Decision>,
    pub(crate) reports: Reports,
    pub(crate) statistics: Option<Statistics>,
    /// Players whose achievements have been counted.
    pub(crate) counted: BTreeSet<PlayerId>,
    /// `Desync` messages of each player, as far as they count.
    #[serde(default)]
    pub(crate) desyncs_by: BTreeMap<PlayerId, u32>,
    /// The game counts however short it is.
    pub(crate) enforces_rating: bool,
    /// Players whose own process has shown that its simulation began: it said `Launching`, or
    /// reported anything.
    #[serde(default)]
    pub(crate) begun: BTreeSet<PlayerId>,
    /// Players whose simulation or process has ended. They do not come back.
    pub(crate) done: BTreeSet<PlayerId>,
    /// When all simulations had ended, by the game's clock.
    pub(crate) finished: Option<Duration>,
    /// When it ends although some have not ended it, by the lobby's clock; none as long as the
    /// others do not agree.
    #[serde(default)]
    pub(crate) overdue: Option<Duration>,
    /// How often each player has sent statistics.
    #[serde(default)]
    pub(crate) statistics_by: BTreeMap<PlayerId, u32>,
    /// Publications that wait until the write that counts them is stored.
    pub(crate) unpublished: Vec<Publication>,
    /// Number of publications that writes have carried so far.
    #[serde(default)]
    pub(crate) published: u32,
    /// Killings of team mates that were noted.
    pub(crate) teamkills: u32,
    /// The mission's completion was noted.
    pub(crate) is_mission_complete: bool,
    /// Players who have lost their connection and are waited for until then, by the lobby's clock.
    pub(crate) awaited: BTreeMap<PlayerId, Duration>,
}

/// How long a game has been live, however the time of day changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GameClock {
    /// How long it was when the lobby's clock stood at `since`.
    base: Duration,
    since: Duration,
}

impl GameClock {
    /// Of a game that is live for so long at this time of the lobby's clock.
    pub(crate) fn new(base: Duration, now: Duration) -> Self {
        Self { base, since: now }
    }

    pub(crate) fn at(self, now: Duration) -> Duration {
        self.base + now.saturating_sub(self.since)
    }
}

/// A title as it is shown: without blanks around it, and cut.
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

impl Game {
    /// The players of a live game who have not ended it, and so may come back to it.
    pub(crate) fn awaited(&self) -> impl Iterator<Item = PlayerId> {
        let live = self.live.iter().filter(|_| self.state == GameState::Live);
        live.flat_map(|live| live.players.iter().map(|player| player.id).filter(|id| !live.done.contains(id)))
    }

    /// Whether a player may come back to it.
    pub(crate) fn awaits(&self, player: PlayerId) -> bool {
        self.awaited().any(|awaited| awaited == player)
    }

    /// Number of the game.
    #[must_use]
    pub fn id(&self) -> GameId {
        self.id
    }

    /// How far it has come.
    #[must_use]
    pub fn state(&self) -> GameState {
        self.state
    }

    /// The player who has made it.
    #[must_use]
    pub fn host(&self) -> PlayerId {
        self.host.id
    }

    /// Players whose game is connected, in the order they came.
    #[must_use]
    pub fn members(&self) -> &[PlayerId] {
        &self.members
    }

    /// Technical name of the featured mod.
    #[must_use]
    pub fn featured_mod(&self) -> &str {
        &self.featured_mod.name
    }

    /// Technical name of the leaderboard it is rated on.
    #[must_use]
    pub fn leaderboard(&self) -> &str {
        &self.leaderboard
    }

    /// Whether it counts, as far as that is known; nothing before the launch.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        self.live.as_ref().map(|live| live.validity)
    }

    /// Why it is rated or not, as far as that is known.
    #[must_use]
    pub fn decisions(&self) -> &[Decision] {
        self.live.as_ref().map_or(&[], |live| &live.decisions)
    }

    /// Whether it is shown to players, as open or as being played. A lobby is from the moment when
    /// the host's process says that others can connect to it, whenever changes are told.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        match self.state {
            GameState::Lobby => self.hosted_at.is_some(),
            GameState::Live => true,
            GameState::Initializing | GameState::Ended => false,
        }
    }

    /// Players who have a place in it since the launch, without observers; none before.
    pub fn seated(&self) -> impl Iterator<Item = PlayerId> {
        self.live.iter().flat_map(|live| &live.players).map(|player| player.id)
    }

    pub(crate) fn is_member(&self, player: PlayerId) -> bool {
        self.members.contains(&player)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.members.len() >= MEMBERS_MAX
    }

    /// Members the host is connected to, in the order they came.
    pub(crate) fn connected(&self) -> impl Iterator<Item = (PlayerId, &Slot)> {
        self.members.iter().filter_map(|player| Some((*player, self.slots.get(player)?)))
    }

    /// Adds somebody whose game is connected.
    pub(crate) fn add_member(&mut self, player: PlayerId) {
        self.lost.remove(&player);
        if let Some(live) = &mut self.live {
            live.awaited.remove(&player);
        }
        if !self.is_member(player) {
            self.members.push(player);
        }
    }

    /// The slot of a player, made if necessary. When all are taken, an absent player loses theirs.
    /// None if everybody in the slots is present.
    pub(crate) fn slot(&mut self, player: PlayerId) -> Option<&mut Slot> {
        if self.slots.len() >= MEMBERS_MAX && !self.slots.contains_key(&player) {
            let absent = self.slots.keys().copied().find(|known| !self.members.contains(known))?;
            self.slots.remove(&absent);
        }
        Some(self.slots.entry(player).or_default())
    }

    /// Notes that a player has lost the connection in the lobby and may come back.
    pub(crate) fn lose(&mut self, player: PlayerId) {
        if self.lost.len() >= LOST_MAX {
            self.lost.pop_first();
        }
        self.lost.insert(player);
    }

    /// How long the host's game process, or a guest's, may take to start (games.md section 3.1).
    pub(crate) fn setup_timeout(&self, settings: &Settings) -> Duration {
        match self.kind {
            GameKind::Custom => settings.game_setup_timeout,
            GameKind::Coop => settings.game_setup_timeout * 2,
        }
    }
}

impl Map {
    /// A map nobody has looked up.
    pub(crate) fn unknown(folder: String) -> Self {
        Self { folder, version: None, is_ranked: false }
    }

    /// Takes over what the vault says. Generated maps are ranked without being in there.
    pub(crate) fn look_up(&mut self, found: Option<MapVersion>) {
        self.version = found.map(|found| found.id);
        self.is_ranked = found.map_or_else(|| is_generated_map(&self.folder), |found| found.is_ranked);
    }
}

impl Slot {
    /// Sets an option the lobby knows; others are only kept by the games themselves.
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

    /// Makes an observer of the player in the slot.
    pub(crate) fn clear(&mut self) {
        (self.team, self.army, self.start_spot) = (Some(-1), Some(-1), Some(-1));
    }
}

impl Live {
    pub(crate) fn new(launched_at: Timestamp, now: Duration) -> Self {
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

    /// The players, for the rules.
    pub(crate) fn participants(&self) -> Vec<Participant> {
        let participant = |player: &LivePlayer| Participant {
            player: player.id,
            army: Some(player.army),
            team: player.team,
        };
        self.players.iter().map(participant).collect()
    }

    /// Whether a player has a say in the game: whoever plays, and only if nobody does, whoever
    /// watches.
    pub(crate) fn has_say(&self, player: PlayerId) -> bool {
        self.players.is_empty() || self.player(player).is_some()
    }

    /// Whether a player who is in the game, or is waited for, has not ended it.
    pub(crate) fn is_played_by(&self, player: PlayerId) -> bool {
        self.has_say(player) && !self.done.contains(&player)
    }

    /// Whether somebody still plays, or is expected to. Observers do not keep a game going.
    pub(crate) fn is_running_for(&self, members: &[PlayerId]) -> bool {
        members.iter().chain(self.awaited.keys()).any(|player| self.is_played_by(*player))
    }

    /// Whether the result is known, and only waits for players who neither end their game nor say
    /// anything.
    pub(crate) fn is_agreed(&self, members: &[PlayerId]) -> bool {
        let is_here = |player: &PlayerId| members.contains(player) || self.awaited.contains_key(player);
        let has_ended = |player: PlayerId| self.done.contains(&player) || !is_here(&player);
        results::is_agreed(&self.participants(), &self.counting_reports(), has_ended)
    }

    /// The reports that count.
    pub(crate) fn counting_reports(&self) -> Reports {
        self.reports.counting(|reporter| self.player(reporter).is_some())
    }

    /// A player's process has said something about the game.
    pub(crate) fn hear_from(&mut self, player: PlayerId, now: Duration) {
        self.hear(now);
        self.begun.insert(player);
    }

    /// Something was heard of the game.
    pub(crate) fn hear(&mut self, now: Duration) {
        self.last_heard = self.clock.at(now);
    }

    pub(crate) fn player(&self, player: PlayerId) -> Option<&LivePlayer> {
        self.players.iter().find(|candidate| candidate.id == player)
    }

    pub(crate) fn has_army(&self, army: i64) -> bool {
        self.players.iter().any(|player| player.army == army)
    }
}
