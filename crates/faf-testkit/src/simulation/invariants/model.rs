//! What the checker knows: a model of the lobby, much simpler than the lobby, made from what goes in and comes out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use faf_lobby_core::results::Report;
use faf_lobby_core::{ConnId, GameState, HoldReason, Profile, Relation, RequestId, World};
use faf_protocol::server_message::{LeaderboardRating, Rating, Visibility};
use faf_protocol::{GameId, PlayerId};

/// A connection that is open.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// Whose password or token was right.
    pub(super) account: Option<PlayerId>,
    /// When that was found out.
    pub(super) accepted: Option<Duration>,
    /// What the database has said about that player.
    pub(super) profile: Option<Profile>,
    /// Who is logged in.
    pub(super) player: Option<PlayerId>,
    /// Why the lobby does not read it.
    pub(super) holds: BTreeSet<HoldReason>,
    /// Requests that are open for it.
    pub(super) open: BTreeSet<RequestId>,
    /// Messages that were read and are not dealt with.
    pub(super) said: VecDeque<Said>,
    /// Games that its client shows.
    pub(super) shown: BTreeSet<GameId>,
    /// The process that was started last was told something.
    pub(super) process_was_told: bool,
}

/// What somebody is told who logs in, and what that must be.
#[derive(Debug, Default)]
pub(super) struct Newcomer {
    pub(super) players: Vec<PlayerId>,
    pub(super) online: Vec<PlayerId>,
    pub(super) games: Vec<GameId>,
    pub(super) visible: Option<Vec<GameId>>,
}

/// A message of a client, as far as it matters.
#[derive(Debug, Clone)]
pub(super) enum Said {
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
    /// The process of a player of this game has begun, or ended.
    Begun(GameId, PlayerId),
    Fact(GameId, Fact),
    Other,
}

/// Something about a live game that must not be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    Result(Report),
    Desync(PlayerId),
    EnforceRating(PlayerId),
    Done(PlayerId),
}

/// A request that is open.
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

/// A step in storing a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Launch,
    Save,
    Note,
    End,
    Publish,
}

/// What a player has said about others.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) friends: BTreeSet<PlayerId>,
    pub(super) foes: BTreeSet<PlayerId>,
}

/// A game, as its host wanted it, and what has become of it.
#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) host: PlayerId,
    pub(super) since: Duration,
    pub(super) visibility: Visibility,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) enforces: bool,
    pub(super) password: String,
    /// Everybody who has ever been in it.
    pub(super) ever: BTreeSet<PlayerId>,
    /// Who plays, with army; known from the launch on.
    pub(super) players: BTreeMap<PlayerId, i64>,
    /// Whose own process has ever said that the game begins, or reported anything.
    pub(super) begun: BTreeSet<PlayerId>,
    pub(super) told: Told,
    pub(super) storing: Storing,
    /// Nobody who plays has been in the live game since then.
    pub(super) empty_since: Option<Duration>,
    /// Ended, with nobody in it and nothing to be stored, since then.
    pub(super) over_since: Option<Duration>,
}

/// What anybody was told about a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    Nothing,
    Open,
    Playing,
    Over,
}

/// What is stored of a game.
#[derive(Debug, Default)]
pub(super) struct Storing {
    /// The last step that was asked for.
    pub(super) requested: Option<Step>,
    pub(super) open: Option<RequestId>,
    /// The launch was answered, however.
    pub(super) launch_had_reply: bool,
    /// The last try has failed.
    pub(super) is_failing: bool,
    /// Something of it never can be stored.
    pub(super) was_refused: bool,
    /// It was stored that the game is over.
    pub(super) is_over: bool,
    /// Facts that were dealt with and are stored.
    pub(super) kept: Vec<Fact>,
    /// Facts that were dealt with while the database was away.
    pub(super) weak: Vec<Fact>,
}

/// What can be seen of a game from outside of the lobby.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenGame {
    /// How far it has come.
    pub state: GameState,
    /// Its host.
    pub host: PlayerId,
    /// Whether it is shown to players.
    pub is_listed: bool,
    /// Who is in it.
    pub members: Vec<PlayerId>,
}

/// All games the lobby knows.
pub type Seen = BTreeMap<GameId, SeenGame>;

/// Looks at the games of a lobby.
#[must_use]
pub fn look(world: &World) -> Seen {
    let seen = |game: &faf_lobby_core::Game| {
        let members = game.members().to_vec();
        let (state, host, is_listed) = (game.state(), game.host(), game.is_listed());
        (game.id(), SeenGame { state, host, is_listed, members })
    };
    world.games().map(seen).collect()
}

/// Whether nothing has changed since somebody has looked.
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

/// The rating everybody begins with.
const START: Rating = Rating { mean: 1500.0, deviation: 500.0 };

/// The stored rating, or that of a beginner.
pub(super) fn rating_on(ratings: Option<&Ratings>, leaderboard: &str) -> LeaderboardRating {
    let known = ratings.and_then(|known| known.iter().find(|(name, _)| name == leaderboard));
    known.map_or(LeaderboardRating { rating: START, number_of_games: 0 }, |(_, rating)| *rating)
}

impl Hosted {
    pub(super) fn new(host: PlayerId, since: Duration, said: &Said) -> Option<Self> {
        let Said::Host { visibility, min, max, enforces, password } = said else { return None };
        Some(Self {
            host,
            since,
            visibility: *visibility,
            min: *min,
            max: *max,
            enforces: *enforces,
            password: password.clone(),
            ever: BTreeSet::new(),
            players: BTreeMap::new(),
            begun: BTreeSet::new(),
            told: Told::Nothing,
            storing: Storing::default(),
            empty_since: None,
            over_since: None,
        })
    }

    /// Whether the host wants players with this rating.
    pub(super) fn welcomes(&self, rating: Rating) -> bool {
        let displayed = rating.mean - 3.0 * rating.deviation;
        !self.enforces
            || self.min.is_none_or(|least| displayed >= least)
                && self.max.is_none_or(|most| displayed <= most)
    }

    /// Whether something was said of it, and dealt with.
    pub(super) fn has_said(&self, fact: &Fact) -> bool {
        self.storing.kept.contains(fact) || self.storing.weak.contains(fact)
    }

    /// Whether a player has a say in the live game: observers have none, unless nobody plays.
    pub(super) fn has_say(&self, player: PlayerId) -> bool {
        self.players.is_empty() || self.players.contains_key(&player)
    }

    /// Whether the database was asked to keep its launch, and has not answered.
    pub(super) fn is_launching(&self) -> bool {
        self.storing.requested.is_some() && !self.storing.launch_had_reply
    }

    /// Whether everything that was dealt with is stored.
    pub(super) fn is_all_stored(&self) -> bool {
        self.storing.open.is_none() && !self.storing.is_failing
    }
}
