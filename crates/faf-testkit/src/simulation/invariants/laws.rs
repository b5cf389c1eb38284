//! All laws at a glance.

use std::fmt;

/// Declares the laws, each with a sentence.
macro_rules! laws {
    ($($name:ident: $sentence:literal,)+) => {
        /// An invariant of the lobby.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Law {
            $(#[doc = $sentence] $name,)+
        }

        impl Law {
            /// All laws, in the order of this file.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Returns the sentence that states the law.
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
    DoneOnce: "Every message is handled once, in the order of arrival.",
    NobodyIsStuck: "A connection can be read again when none of its requests is open.",
    NobodyIsTooFast: "No client that behaves as real clients do exceeds a rate limit.",
    LoginIsProven: "A logged-in player has proven their identity, and is logged in on one connection only.",
    LoginsAreAdmitted: "The number of concurrent sign-ins stays below its limit, and every queued sign-in is admitted.",
    // Every object has an owner.
    SessionsAreConnections: "The lobby knows the connections that are open, and no other.",
    PlayersAreLoggedIn: "The lobby knows the players who are logged in, and no other.",
    GamesHaveOwners: "A game is kept only while it is set up or listed, has a process in it, or has data to store.",
    // Games.
    OneGameEach: "A player is in at most one game.",
    MembersAreOnline: "Every member of a game is online.",
    NumbersAreNew: "A game gets a number that no earlier game has had, not even before the server was killed.",
    GamesAreHosted: "Every game was made by the player who is its host.",
    LobbiesHaveHosts: "The host of an open lobby is in it.",
    StatesGoForward: "A game goes from setting up to its lobby, then live, then ended, and never back.",
    // Visibility of games.
    HiddenStaysHidden: "A hidden game is sent to nobody, except for the one message that removes it where it was shown.",
    NoGhosts: "After a report, clients show exactly the open and live games that their players may see.",
    RosterIsComplete: "The lists of players at login contain every online player exactly once.",
    ListIsComplete: "The lists of games at login contain exactly the visible open and live games.",
    StatesInOrder: "After a game was sent as live, it is sent to nobody as open; after its end, it is not sent any more.",
    LiveIsDurable: "A game is sent as live only after the database has replied to the request to store it.",
    // Admission to games.
    LaunchIsAsked: "A game process is started only for a player who has just asked to host or to join that game.",
    PasswordIsNeeded: "Nobody joins a game without its password.",
    FoesStayOut: "No foe of a host joins the host's game.",
    HiddenIsUnknown: "Nobody joins a game that they cannot see.",
    RatingIsWelcome: "Nobody joins a game whose enforced rating range excludes them.",
    MembersComeProperly: "Every member of a game has hosted it, was connected to its host, or was a member before.",
    EndedStayOut: "Nobody returns to a live game in which their own simulation has ended.",
    // Between game processes.
    PeersShareAGame: "ICE messages and connections go only between players of the same game.",
    OneSideOffers: "Of two players who are connected, each is told to connect to the other, and exactly one makes the offer.",
    JoinsMeetEverybody: "A player who joins is connected to everyone in the game.",
    JoinGameComesFirst: "The first command to a guest's process names the host to join.",
    // Queues and matches.
    SearchesAreReal: "A client shows that its player searches in a queue exactly while that is so.",
    OneMatchEach: "A player is in at most one match, and not in a game at the same time.",
    MatchedWereSearching: "Every player of a match was searching in its queue until it was made, and is sent that it is found.",
    PartiesStayTogether: "The players who began a search together end it together: without a match, or in one team.",
    MatchesAreTold: "After a match is found, each of its players who stays online is sent the order to start the game, or that it is cancelled, within the time limits.",
    MatchesEnd: "A match is launched or cancelled within the time limits, and all its players who stayed online are sent that it is cancelled.",
    BlameIsDeserved: "Only a player of a match that has just failed is blamed for it, and nobody if the server, the database or the network is at fault.",
    NobodyIsLockedOut: "A player who has done nothing for two minutes can host a game.",
    // Storage.
    LaunchedThenEnded: "The writes about a game begin with one launch and have at most one end, followed only by notes.",
    AcknowledgedIsKept: "Every handled report of a game process is stored when the server is killed.",
    EndedOnce: "Every launched game in the database is stored with exactly one end, or as live.",
    RatedHaveBegun: "Only players whose own process has announced the start of the game or reported something are rated.",
    RatedOnce: "A rated game changes each of its players once on its leaderboard and at most once on the global one, and nobody else.",
    RatingsAreShown: "The ratings and numbers of games shown to players are those that are stored.",
    // Shutdown and rest.
    EverythingEnds: "When everyone has left and the database works, no game and no request is left.",
    ShutdownEnds: "A graceful shutdown ends in time, with every connection closed.",
    NeverPanics: "The lobby never panics.",
}

/// A broken law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The law that does not hold.
    pub law: Law,
    /// Description of the violation.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {} {}", self.law, self.law.sentence(), self.detail)
    }
}

impl std::error::Error for Violation {}

/// Returns a violation of a law.
pub(super) fn broken<T>(law: Law, detail: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { law, detail: detail.into() })
}

/// Checks a law: returns a violation unless `holds` is true.
pub(super) fn ensure(holds: bool, law: Law, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { broken(law, detail()) }
}
