//! All laws at a glance.

use std::fmt;

/// Declares the laws with a sentence each.
macro_rules! laws {
    ($($name:ident: $sentence:literal,)+) => {
        /// Something that must hold whatever happens.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Law {
            $(#[doc = $sentence] $name,)+
        }

        impl Law {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// What it says.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)+
                }
            }
        }
    };
}

laws! {
    // Requests.
    RequestedOnce: "A number is used for one request.",
    RepliedOnce: "A request has one reply.",
    OneWriteAtATime: "At most one request to store something is open for a game.",
    RepliesAreExpected: "The lobby waits for every reply that it gets.",
    // Connections.
    ClosedIsSilent: "A connection that has ended gets nothing, is not read and is not closed again.",
    ReadInTurn: "A connection is held for a reason once, and then released from it once.",
    DoneOnce: "Every message is dealt with once, in the order in which they came.",
    NobodyIsStuck: "A connection can be read again when nothing is open for it.",
    NobodyIsTooFast: "No client that does what clients do meets a limit of how fast it may send.",
    LoginIsProven: "Whoever is logged in has proven to be that player, and is so on one connection only.",
    LoginsAreAdmitted: "No more sign-ins are under way than may be, and whoever waits for it comes in.",
    // Nothing without an owner.
    SessionsAreConnections: "The lobby knows the connections that are open, and no other.",
    PlayersAreLoggedIn: "The lobby knows the players who are logged in, and no other.",
    GamesHaveOwners: "A game is kept while it is being set up, listed, somebody's process is in it, or something of it is to be stored.",
    // Games.
    OneGameEach: "A player is in at most one game.",
    MembersAreOnline: "Whoever is in a game is online.",
    NumbersAreNew: "A game gets a number that no game has had before, also not before the server was killed.",
    GamesAreHosted: "Every game was made by the player who is its host.",
    LobbiesHaveHosts: "The host of an open lobby is in it.",
    StatesGoForward: "A game goes from setting up to its lobby, then live, then ended, and never back.",
    // Who sees a game.
    HiddenStaysHidden: "Nobody is told of a game hidden from them, but by the one message that takes away what was shown.",
    NoGhosts: "After a report, clients show exactly the open and live games that their players may see.",
    RosterIsComplete: "The lists of players at login have everybody who is online, each of them once.",
    ListIsComplete: "The lists of games at login have exactly the visible open and live games.",
    ToldInOrder: "Nobody hears that a game is open after anybody has heard that it is played, nor anything after its end.",
    ToldIsDurable: "Nobody hears that a game is played before the database was asked to keep it and has answered.",
    // Who gets into a game.
    LaunchIsAsked: "A game process is started for whoever has just asked to host or to join that game.",
    PasswordIsNeeded: "Nobody joins a game without its password.",
    FoesStayOut: "No foe of a host joins the host's game.",
    HiddenIsUnknown: "Nobody joins a game that they are not shown.",
    RatingIsWelcome: "Nobody joins a game whose enforced rating range excludes them.",
    MembersComeProperly: "Whoever is in a game has hosted it, was connected to its host, or was in it before.",
    EndedStayOut: "Nobody comes back into a live game whose own simulation has ended.",
    // Between game processes.
    PeersShareAGame: "ICE messages and connections go only between players of the same game.",
    OneSideOffers: "Of two players who are connected, each is told of the other, and exactly one makes the offer.",
    JoinsMeetEverybody: "Whoever joins is connected to everybody in the game.",
    JoinGameComesFirst: "The first thing a guest's process is told is whom to join.",
    // What is stored.
    LaunchedThenEnded: "What is stored of a game begins with one launch, has at most one end, and only notes behind it.",
    AcknowledgedIsKept: "What a game process has reported, and was dealt with, is stored when the server is killed.",
    EndedOnce: "Every launched game that the database took is stored with exactly one end, or as live.",
    RatedHaveBegun: "Nobody is rated whose own process has never said that the game begins, or reported anything.",
    RatedOnce: "A rated game changes each of its players once on its leaderboard, and nobody else.",
    RatingsAreShown: "The ratings and numbers of games that everybody sees are those that were stored.",
    // The end.
    EverythingEnds: "When everybody has left and the database works, no game is left and nothing is open.",
    ShutdownEnds: "A graceful shutdown ends when its time is over, with every connection closed.",
    NeverPanics: "The lobby never panics.",
}

/// A law that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub law: Law,
    /// What has happened.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {} {}", self.law, self.law.sentence(), self.detail)
    }
}

impl std::error::Error for Violation {}

/// A law does not hold.
pub(super) fn broken<T>(law: Law, detail: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { law, detail: detail.into() })
}

/// Checks a law.
pub(super) fn ensure(holds: bool, law: Law, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { broken(law, detail()) }
}
