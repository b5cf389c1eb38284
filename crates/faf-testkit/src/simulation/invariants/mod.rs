//! The invariants of every evening: `laws.rs` lists them, the other files check them.
//!
//! The [`Checker`] sees every event passed to the lobby and every effect it returns, maintains a
//! simple model of both, and reports the law that does not hold. It knows nothing of the lobby's
//! own logic; of the lobby's state it reads only the members of games.

mod connections;
mod delivery;
mod laws;
mod matches;
mod membership;
mod model;
mod rest;
mod searches;
mod storage;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_lobby_core::{Audience, ConnId, Count, Effect, Event, LogLine, QueueEvent, RequestId};
use faf_protocol::{GameId, PlayerId};

pub use laws::{Law, Violation};
pub use model::{Seen, SeenGame, is_unchanged, look};
pub use rest::Size;

use laws::{broken, ensure};
use matches::Losses;
use model::{Connection, Found, Hosted, Lists, LoginLists, Open, Ratings, SearchNumber, Searching};

use super::coverage::Coverage;

/// Checks all laws.
#[derive(Debug, Default)]
pub struct Checker {
    /// Counts of the events.
    pub coverage: Coverage,
    /// Most by which the timers of the lobby are late, in addition to the usual.
    lateness: Duration,
    now: Duration,
    connections: BTreeMap<ConnId, Connection>,
    online: BTreeMap<PlayerId, ConnId>,
    lists: BTreeMap<PlayerId, Lists>,
    ratings: BTreeMap<PlayerId, Ratings>,
    open: BTreeMap<RequestId, Open>,
    /// The last ticket; tickets are numbered in ascending order, so none is used twice.
    last_request: Option<RequestId>,
    games: BTreeMap<GameId, Hosted>,
    /// All numbers that were assigned to games.
    numbers: BTreeSet<GameId>,
    /// Game of each player's process, until the lobby gives up on that process.
    processes: BTreeMap<PlayerId, GameId>,
    before: Seen,
    seen: Seen,
    /// Introductions of peers in this step: the recipient, the peer, and whether to make the offer.
    introductions: Vec<(PlayerId, PlayerId, bool)>,
    /// Guests who were sent the host to join in this step.
    joined: Vec<(PlayerId, GameId)>,
    /// Lists that were sent to logins in this step.
    login_lists: BTreeMap<ConnId, LoginLists>,
    /// Games that players could see until this step, and may not see after it.
    could_see: Vec<(PlayerId, GameId)>,
    /// Number of this step.
    step: u64,
    /// Whether a search has begun or ended in this step.
    searches_changed: bool,
    /// Players who search, by queue and search.
    searching: BTreeMap<(String, SearchNumber), Searching>,
    /// Players who were sent in this step that a match is found, with their searches.
    just_matched: BTreeMap<PlayerId, (String, SearchNumber)>,
    /// Players who were sent in this step that their match is cancelled.
    just_cancelled: BTreeSet<PlayerId>,
    /// Players who were blamed in this step for a match that has failed.
    just_blamed: BTreeSet<PlayerId>,
    /// Players who were lost in a match that has failed, with the time of the failure.
    accused: Vec<(PlayerId, Duration)>,
    /// Matches that are being set up.
    matches: BTreeMap<GameId, Found>,
    losses: Losses,
    /// Whether the reply of this step is that the database is unavailable.
    is_unavailable: bool,
    is_draining: bool,
    /// Time of the last change of a game.
    changed_at: Duration,
    has_stopped: bool,
    /// Whether the lobby closes all connections, and waits for its last save.
    is_closing: bool,
}

impl Checker {
    /// Creates a checker of a lobby whose timers may be late by this much.
    #[must_use]
    pub fn of_late_timers(lateness: Duration) -> Self {
        Self { lateness, ..Self::default() }
    }

    /// Checks one step: an event, or an expired deadline, and all its effects. `after` holds the
    /// games after the step, if they have changed.
    ///
    /// # Errors
    /// If a law does not hold.
    pub fn step(
        &mut self,
        now: Duration,
        event: Option<&Event>,
        effects: &[Effect],
        after: Option<Seen>,
    ) -> Result<(), Violation> {
        self.now = now;
        self.step += 1;
        self.is_unavailable = matches!(event, Some(Event::Replied { reply }) if reply.is_unavailable());
        self.could_see.clear();
        self.searches_changed = false;
        self.just_matched.clear();
        self.just_cancelled.clear();
        self.just_blamed.clear();
        if let Some(event) = event {
            self.event(event)?;
        }
        let has_changed = after.is_some();
        if let Some(after) = after {
            self.changed_at = now;
            self.before = std::mem::replace(&mut self.seen, after);
        }
        self.introductions.clear();
        self.joined.clear();
        self.login_lists.clear();
        for effect in effects {
            if let Effect::LoggedIn { conn } = effect {
                self.take_over_lists(*conn);
            }
        }
        for effect in effects {
            self.effect(effect)?;
        }
        self.check_introductions()?;
        self.check_searches()?;
        self.check_all_matched()?;
        self.check_login_lists()?;
        // A lobby that stops leaves its games as they are stored.
        if has_changed && !self.is_closing {
            self.check_membership()?;
            self.before.clone_from(&self.seen);
        }
        for effect in effects {
            if let Effect::Done { conn } = effect {
                self.done(*conn)?;
            }
        }
        Ok(())
    }

    /// Returns the games that the lobby knows.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    fn effect(&mut self, effect: &Effect) -> Result<(), Violation> {
        match effect {
            Effect::Send { to, message } => self.sent(to, message),
            Effect::SendSnapshot { conn: to, message, .. } | Effect::Relay { to, message, .. } => {
                self.sent(&Audience::One(*to), message)
            }
            Effect::Hold { conn, reason } => self.held(*conn, *reason),
            Effect::Release { conn, reason } => self.released(*conn, *reason),
            // Checked after the step, when the effects of the message are known.
            Effect::Done { .. } => Ok(()),
            Effect::LoggedIn { conn } => self.logged_in(*conn),
            Effect::Close { conn } => self.closed(*conn),
            Effect::Request { conn, request } => self.requested(*conn, request),
            Effect::Log(LogLine::UnknownRequest { request }) => {
                broken(Law::RepliesAreExpected, format!("{request:?} was reported as not open"))
            }
            Effect::Log(LogLine::Shutdown { step }) => {
                self.is_closing |= step.contains("closing");
                Ok(())
            }
            Effect::Stop => {
                self.has_stopped = true;
                let left = self.connections.len();
                ensure(left == 0, Law::ShutdownEnds, || format!("{left} connections are open"))
            }
            Effect::Count(Count::Paced(class)) => {
                broken(Law::NobodyIsTooFast, format!("a connection is held, with the class {}", class.name()))
            }
            Effect::Count(Count::LoginWaits) => {
                self.coverage.count("logins that had to wait");
                Ok(())
            }
            Effect::Queue(QueueEvent::Popped(popped)) => self.popped(popped),
            Effect::Queue(QueueEvent::MatchEnded { game, outcome, .. }) => self.match_ended(*game, *outcome),
            Effect::ReportLogin { .. }
            | Effect::Publish(_)
            | Effect::Queue(_)
            | Effect::Count(_)
            | Effect::Log(_) => Ok(()),
        }
    }

    fn connection(&mut self, conn: ConnId, doing: &str) -> Result<&mut Connection, Violation> {
        match self.connections.get_mut(&conn) {
            Some(connection) => Ok(connection),
            None => broken(Law::ClosedIsSilent, format!("connection {} is {doing}", conn.0)),
        }
    }
}
