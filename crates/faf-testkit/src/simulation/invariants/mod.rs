//! What must hold in every evening: `laws.rs` lists it, the other files check it.
//!
//! The [`Checker`] sees every event that goes into the lobby and every effect that comes out of it, keeps a simple model
//! of both, and says which law does not hold. It knows nothing of the lobby's own reasoning; of the lobby's state it
//! looks only at who is in which game.

mod connections;
mod delivery;
mod laws;
mod membership;
mod model;
mod rest;
mod storage;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_lobby_core::{Audience, ConnId, Count, Effect, Event, LogLine, RequestId};
use faf_protocol::{GameId, PlayerId};

pub use laws::{Law, Violation};
pub use model::{Seen, SeenGame, is_unchanged, look};
pub use rest::Size;

use laws::{broken, ensure};
use model::{Connection, Hosted, Lists, Newcomer, Open, Ratings};

use super::coverage::Coverage;

/// Checks all laws.
#[derive(Debug, Default)]
pub struct Checker {
    /// What has happened.
    pub coverage: Coverage,
    now: Duration,
    connections: BTreeMap<ConnId, Connection>,
    online: BTreeMap<PlayerId, ConnId>,
    lists: BTreeMap<PlayerId, Lists>,
    ratings: BTreeMap<PlayerId, Ratings>,
    open: BTreeMap<RequestId, Open>,
    /// The last ticket; they are counted up, and so none is used twice.
    last_request: Option<RequestId>,
    games: BTreeMap<GameId, Hosted>,
    /// All numbers that games have had.
    numbers: BTreeSet<GameId>,
    /// The game whose process a player has, or had until the lobby gave up on it.
    processes: BTreeMap<PlayerId, GameId>,
    before: Seen,
    seen: Seen,
    /// What peers were told of each other in this step: who is told of whom, and whether to make the offer.
    introductions: Vec<(PlayerId, PlayerId, bool)>,
    /// Guests who were told whom to join in this step.
    joined: Vec<(PlayerId, GameId)>,
    /// What newcomers were told in this step.
    newcomers: BTreeMap<ConnId, Newcomer>,
    /// What players could see who may see less from this step on.
    could_see: Vec<(PlayerId, GameId)>,
    /// When games have changed last.
    changed_at: Duration,
    has_stopped: bool,
}

impl Checker {
    /// Checks one step: what has happened to the lobby, or that time has passed, and everything it has done. Games are
    /// those after it, if they have changed.
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
        self.could_see.clear();
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
        self.newcomers.clear();
        for effect in effects {
            self.effect(effect)?;
        }
        self.check_introductions()?;
        self.check_newcomers()?;
        // A lobby that has stopped leaves its games as they are stored.
        if has_changed && !self.has_stopped {
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

    /// Games the lobby knows.
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
            // Looked at when the step is over: what the message has changed is known then.
            Effect::Done { .. } => Ok(()),
            Effect::LoggedIn { conn } => self.logged_in(*conn),
            Effect::Close { conn } => self.closed(*conn),
            Effect::Request { conn, request } => self.requested(*conn, request),
            Effect::Log(LogLine::UnknownRequest { request }) => {
                broken(Law::RepliesAreExpected, format!("{request:?} is not open, it says"))
            }
            Effect::Stop => {
                self.has_stopped = true;
                let left = self.connections.len();
                ensure(left == 0, Law::ShutdownEnds, || format!("{left} connections are open"))
            }
            Effect::Count(Count::Paced(class)) => {
                broken(Law::NobodyIsTooFast, format!("somebody is, with the class {}", class.name()))
            }
            Effect::Count(Count::LoginWaits) => {
                self.coverage.count("logins that had to wait");
                Ok(())
            }
            Effect::ReportLogin { .. } | Effect::Publish(_) | Effect::Count(_) | Effect::Log(_) => Ok(()),
        }
    }

    fn connection(&mut self, conn: ConnId, doing: &str) -> Result<&mut Connection, Violation> {
        match self.connections.get_mut(&conn) {
            Some(connection) => Ok(connection),
            None => broken(Law::ClosedIsSilent, format!("connection {} is {doing}", conn.0)),
        }
    }
}
