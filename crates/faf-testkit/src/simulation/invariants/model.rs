//! The checker's model: much simpler than the lobby, and made from its events and effects.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use faf_lobby_core::results::Report;
use faf_lobby_core::{ConnId, GameState, HoldReason, Profile, Relation, RequestId, World};
use faf_protocol::server_message::{LeaderboardRating, Rating, Visibility};
use faf_protocol::{GameId, PlayerId};

/// An open connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// Player whose password or token was accepted.
    pub(super) account: Option<PlayerId>,
    /// Time of that acceptance.
    pub(super) accepted: Option<Duration>,
    /// Profile of that player from the database.
    pub(super) profile: Option<Profile>,
    /// Player who is logged in.
    pub(super) player: Option<PlayerId>,
    /// Reasons for which the lobby does not read from it.
    pub(super) holds: BTreeSet<HoldReason>,
    /// Requests that are open for it.
    pub(super) open: BTreeSet<RequestId>,
    /// Messages that were read and are not handled yet.
    pub(super) unhandled: VecDeque<Received>,
    /// Games that the client shows.
    pub(super) shown: BTreeSet<GameId>,
    /// Whether the process that was started last has received a command.
    pub(super) process_has_command: bool,
    /// The searches that the client shows, by queue.
    pub(super) searches: BTreeMap<String, SearchNumber>,
}

/// Number of a search: the step in which it began.
pub(super) type SearchNumber = u64;

/// Players who began a search in a queue in the same step.
#[derive(Debug, Default)]
pub(super) struct Searching {
    /// All who have not gone offline.
    pub(super) players: BTreeSet<PlayerId>,
    /// Whether a player has gone offline, which ends it for all.
    pub(super) is_broken: bool,
    /// Those who were sent that it has ended without a match.
    pub(super) stopped: BTreeSet<PlayerId>,
    /// Those who were sent that a match is found.
    pub(super) matched: BTreeSet<PlayerId>,
}

/// A match that is being set up.
#[derive(Debug)]
pub(super) struct Found {
    /// The first player of the first team is the host.
    pub(super) teams: [Vec<PlayerId>; 2],
    /// Connections on which they were sent that it is found.
    pub(super) conns: BTreeMap<PlayerId, ConnId>,
    pub(super) since: Duration,
    /// Players who were sent the order to start the game.
    pub(super) ordered: BTreeSet<PlayerId>,
    /// Time at which the last of them was.
    pub(super) ordered_at: Duration,
}

/// Lists sent to a client that logs in, and the lists that it must receive.
#[derive(Debug, Default)]
pub(super) struct LoginLists {
    pub(super) players: Vec<PlayerId>,
    pub(super) online: Vec<PlayerId>,
    pub(super) games: Vec<GameId>,
    pub(super) visible: Option<Vec<GameId>>,
}

impl Found {
    /// Returns all players, the host first.
    pub(super) fn players(&self) -> impl Iterator<Item = PlayerId> {
        self.teams.iter().flatten().copied()
    }
}

/// The relevant part of a client's message.
#[derive(Debug, Clone)]
pub(super) enum Received {
    Host {
        visibility: Visibility,
        min: Option<f64>,
        max: Option<f64>,
        enforces: bool,
        password: String,
    },
    Join {
        game: GameId,
        password: String,
    },
    Restore(GameId),
    Idle,
    /// The process of a player of this game has begun or ended.
    Begun(GameId, PlayerId),
    Fact(GameId, Fact),
    Other,
}

/// Data of a live game that must not be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    Result(Report),
    Desync(PlayerId),
    EnforceRating(PlayerId),
    Done(PlayerId),
}

/// An open request.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) conn: Option<ConnId>,
    pub(super) about: About,
}

#[derive(Debug)]
pub(super) enum About {
    Credentials,
    Profile,
    Relation { player: PlayerId, subject: PlayerId, relation: Relation, begins: bool },
    Game(GameId, Step),
    Else,
}

/// Kind of a write about a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Launch,
    Save,
    Note,
    End,
    Publish,
}

/// Relations that a player has set.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Lists {
    pub(super) friends: BTreeSet<PlayerId>,
    pub(super) foes: BTreeSet<PlayerId>,
}

/// A game as its host wanted it, and its progress.
#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) host: PlayerId,
    pub(super) since: Duration,
    pub(super) visibility: Visibility,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) enforces: bool,
    pub(super) password: String,
    /// Players of the match for which the matchmaker made it.
    pub(super) matched: BTreeSet<PlayerId>,
    /// Everyone who has ever been a member.
    pub(super) ever: BTreeSet<PlayerId>,
    /// Players with their armies; known from the launch on.
    pub(super) players: BTreeMap<PlayerId, i64>,
    /// Players whose own process has announced the start of the game or reported something.
    pub(super) begun: BTreeSet<PlayerId>,
    pub(super) announced: Announced,
    pub(super) storing: Storing,
    /// Time since which no player has been in the live game.
    pub(super) empty_since: Option<Duration>,
    /// Time since which the game has been over, without members and without data to store.
    pub(super) over_since: Option<Duration>,
}

/// State of a game that was sent to anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Announced {
    Nothing,
    Open,
    Playing,
    Over,
}

/// Storage of a game.
#[derive(Debug, Default)]
pub(super) struct Storing {
    /// The last requested step.
    pub(super) requested: Option<Step>,
    pub(super) open: Option<RequestId>,
    /// Whether the launch had a reply of any kind.
    pub(super) launch_had_reply: bool,
    /// Whether the last attempt has failed.
    pub(super) is_failing: bool,
    /// Whether a part of it can never be stored.
    pub(super) was_refused: bool,
    /// Whether the end of the game is stored.
    pub(super) is_over: bool,
    /// Facts that were handled and are stored.
    pub(super) kept: Vec<Fact>,
    /// Facts that were handled while the database was unavailable.
    pub(super) weak: Vec<Fact>,
}

/// The part of a game that is visible from outside the lobby.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenGame {
    /// State of the game.
    pub state: GameState,
    /// Host of the game.
    pub host: PlayerId,
    /// Whether it is shown to players.
    pub is_listed: bool,
    /// Members of the game.
    pub members: Vec<PlayerId>,
}

/// All games the lobby knows.
pub type Seen = BTreeMap<GameId, SeenGame>;

/// Returns the games of a lobby.
#[must_use]
pub fn look(world: &World) -> Seen {
    let seen = |game: &faf_lobby_core::Game| {
        let members = game.members().to_vec();
        let (state, host, is_listed) = (game.state(), game.host(), game.is_listed());
        (game.id(), SeenGame { state, host, is_listed, members })
    };
    world.games().map(seen).collect()
}

/// Returns whether the games are unchanged.
#[must_use]
pub fn is_unchanged(seen: &Seen, world: &World) -> bool {
    let mut known = seen.iter();
    let is_same = |game: &faf_lobby_core::Game| {
        known.next().is_some_and(|(id, seen)| {
            *id == game.id()
                && seen.state == game.state()
                && seen.host == game.host()
                && seen.is_listed == game.is_listed()
                && seen.members == game.members()
        })
    };
    world.games().all(is_same) && known.next().is_none()
}

/// Ratings of a player by leaderboard.
pub(super) type Ratings = Vec<(String, LeaderboardRating)>;

/// Rating of a new player.
const START: Rating = Rating { mean: 1500.0, deviation: 500.0 };

/// Returns the stored rating, or that of a new player.
pub(super) fn rating_on(ratings: Option<&Ratings>, leaderboard: &str) -> LeaderboardRating {
    let known = ratings.and_then(|known| known.iter().find(|(name, _)| name == leaderboard));
    known.map_or(LeaderboardRating { rating: START, number_of_games: 0 }, |(_, rating)| *rating)
}

impl Hosted {
    pub(super) fn new(host: PlayerId, since: Duration, received: &Received) -> Option<Self> {
        let Received::Host { visibility, min, max, enforces, password } = received else { return None };
        let public = Self::of_match(host, since, BTreeSet::new());
        let (min, max, enforces, password) = (*min, *max, *enforces, password.clone());
        Some(Self { visibility: *visibility, min, max, enforces, password, ..public })
    }

    /// Returns the game of a match of these players.
    pub(super) fn of_match(host: PlayerId, since: Duration, matched: BTreeSet<PlayerId>) -> Self {
        Self {
            host,
            since,
            visibility: Visibility::Public,
            min: None,
            max: None,
            enforces: false,
            password: String::new(),
            matched,
            ever: BTreeSet::new(),
            players: BTreeMap::new(),
            begun: BTreeSet::new(),
            announced: Announced::Nothing,
            storing: Storing::default(),
            empty_since: None,
            over_since: None,
        }
    }

    /// Returns whether the host admits players with this rating.
    pub(super) fn welcomes(&self, rating: Rating) -> bool {
        let displayed = rating.mean - 3.0 * rating.deviation;
        !self.enforces
            || self.min.is_none_or(|least| displayed >= least)
                && self.max.is_none_or(|most| displayed <= most)
    }

    /// Returns whether a fact was reported and handled.
    pub(super) fn has_handled(&self, fact: &Fact) -> bool {
        self.storing.kept.contains(fact) || self.storing.weak.contains(fact)
    }

    /// Returns whether the reports of a player in the live game count: those of observers do not,
    /// unless nobody plays.
    pub(super) fn counts_reports_of(&self, player: PlayerId) -> bool {
        self.players.is_empty() || self.players.contains_key(&player)
    }

    /// Returns whether the launch was requested from the database and has no reply yet.
    pub(super) fn is_launching(&self) -> bool {
        self.storing.requested.is_some() && !self.storing.launch_had_reply
    }

    /// Returns whether all handled facts are stored.
    pub(super) fn is_all_stored(&self) -> bool {
        self.storing.open.is_none() && !self.storing.is_failing
    }
}
