//! [`World`]: everything the lobby knows, and how it is driven.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use faf_protocol::server_message::{Notice, NoticeStyle, Player, PlayerList, ServerMessage};
use faf_protocol::{ClientMessage, CommandError, PlayerId, SessionNumber};

use crate::clock::Moment;
use crate::commands::{self, Continuation, Progress};
use crate::effect::{Audience, Client, Count, Effect, LogLine, Question};
use crate::event::{Answer, ConnId, Event, Ticket};
use crate::failed_logins::FailedLogins;
use crate::players::{OnlinePlayer, Players};
use crate::refusal::Refusal;
use crate::session::Session;
use crate::settings::Settings;
use crate::texts;

/// The lobby.
///
/// Tell it what happens with [`handle`](Self::handle), and that time has passed with
/// [`handle_timeout`](Self::handle_timeout) when [`next_deadline`](Self::next_deadline) has come. After every single one
/// of these, poll all effects with [`poll_effect`](Self::poll_effect) and carry them out in order. Time never goes back.
///
/// ```
/// use faf_lobby_core::{ConnId, Effect, Event, Moment, Settings, Timestamp, World};
/// use faf_protocol::{ClientMessage, SessionNumber};
/// use std::time::Duration;
///
/// let now = Moment { elapsed: Duration::ZERO, utc: Timestamp::from_seconds(1_767_225_600) };
/// let mut world = World::new(Settings::default(), now);
/// let conn = ConnId(1);
/// let (address, country) = (None, String::new());
/// world.handle(now, Event::Connected { conn, address, country, session: SessionNumber(7) });
/// while world.poll_effect().is_some() {}
/// world.handle(now, Event::Received { conn, message: Ok(ClientMessage::Ping) });
/// assert!(matches!(world.poll_effect(), Some(Effect::Send { .. })));
/// assert!(matches!(world.poll_effect(), Some(Effect::Done { .. })));
/// assert!(matches!(world.poll_effect(), Some(Effect::Ready { .. })));
/// ```
#[derive(Debug)]
pub struct World {
    pub(crate) settings: Settings,
    pub(crate) now: Moment,
    pub(crate) players: Players,
    pub(crate) failed_logins: FailedLogins,
    sessions: BTreeMap<ConnId, Session>,
    /// Connections that have not logged in, by the time they are closed.
    login_deadlines: BTreeSet<(Duration, ConnId)>,
    questions: BTreeMap<Ticket, (ConnId, Continuation)>,
    next_ticket: Ticket,
    next_ping: Duration,
    /// When changes are told next; none while there are none.
    next_report: Option<Duration>,
    lifecycle: Lifecycle,
    effects: VecDeque<Effect>,
}

/// How far the server's life has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    Running,
    /// No new games; it ends when the running ones have, or at this time.
    Draining {
        until: Duration,
    },
    Stopped,
}

impl World {
    /// An empty lobby.
    #[must_use]
    pub fn new(settings: Settings, now: Moment) -> Self {
        Self {
            next_ping: now.elapsed + settings.ping_interval,
            settings,
            now,
            players: Players::default(),
            failed_logins: FailedLogins::default(),
            sessions: BTreeMap::new(),
            login_deadlines: BTreeSet::new(),
            questions: BTreeMap::new(),
            next_ticket: Ticket(1),
            next_report: None,
            lifecycle: Lifecycle::Running,
            effects: VecDeque::new(),
        }
    }

    /// Takes in something that has happened. Deadlines that have come are dealt with first.
    pub fn handle(&mut self, now: Moment, event: Event) {
        self.handle_timeout(now);
        match event {
            Event::Connected { conn, address, country, session } => {
                self.connected(conn, address, country, session);
            }
            Event::Received { conn, message } => self.received(conn, message),
            Event::Disconnected { conn } => self.end_session(conn),
            Event::Answered { ticket, answer } => self.answered(ticket, answer),
            Event::Shutdown => self.shutdown(),
        }
        self.schedule_report();
    }

    /// Does what has become due.
    pub fn handle_timeout(&mut self, now: Moment) {
        self.now = now;
        self.close_unused();
        if now.elapsed >= self.next_ping {
            self.next_ping = next_on_grid(now.elapsed, self.settings.ping_interval);
            self.ping();
        }
        if self.next_report.is_some_and(|due| now.elapsed >= due) {
            self.next_report = None;
            self.report();
        }
        if let Lifecycle::Draining { until } = self.lifecycle
            && now.elapsed >= until
        {
            self.stop();
        }
        self.schedule_report();
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.lifecycle == Lifecycle::Stopped {
            return None;
        }
        let draining = match self.lifecycle {
            Lifecycle::Draining { until } => Some(until),
            _ => None,
        };
        let login = self.login_deadlines.first().map(|(deadline, _)| *deadline);
        [Some(self.next_ping), self.next_report, draining, login].into_iter().flatten().min()
    }

    /// The next thing to be done, if there is any.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Everybody who is online, in order of their ids.
    #[must_use]
    pub fn players(&self) -> Vec<Arc<Player>> {
        self.players.list()
    }

    /// How many players are online.
    #[must_use]
    pub fn player_count(&self) -> usize {
        self.players.len()
    }

    /// How many connections there are, logged in or not.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no question is open and nothing waits to be told: without a new event, only pings will follow.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.questions.is_empty() && !self.players.has_changes()
    }

    fn connected(&mut self, conn: ConnId, address: Option<IpAddr>, country: String, number: SessionNumber) {
        if self.lifecycle == Lifecycle::Stopped {
            self.effects.push_back(Effect::Close { conn });
            return;
        }
        let session = Session::new(number, address, country, self.now.elapsed, self.settings.login_timeout);
        self.count(Count::Connection);
        self.count(Count::Client { before: None, after: Some(session.client.clone()) });
        self.login_deadlines.insert((session.login_deadline, conn));
        self.sessions.insert(conn, session);
    }

    fn received(&mut self, conn: ConnId, message: Result<ClientMessage, CommandError>) {
        let now = self.now.elapsed;
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.last_heard = now;
        session.may_read = false;
        if !session.is_busy {
            return self.carry_out(conn, message);
        }
        // A ping is answered whatever else is going on; clients take a late answer for a lost connection.
        match message {
            Ok(ClientMessage::Ping) => self.send(conn, ServerMessage::Pong),
            Ok(ClientMessage::Pong) => {}
            other => session.waiting = Some(Box::new(other)),
        }
        self.let_read(conn);
    }

    fn carry_out(&mut self, conn: ConnId, message: Result<ClientMessage, CommandError>) {
        let outcome = commands::carry_out(self, conn, message);
        self.conclude(conn, outcome);
    }

    fn answered(&mut self, ticket: Ticket, answer: Answer) {
        let Some((conn, continuation)) = self.questions.remove(&ticket) else {
            return self.log(LogLine::WrongAnswer { ticket });
        };
        // Whoever asked may be gone; what the answer means to others does not depend on it.
        if !self.sessions.contains_key(&conn) {
            return;
        }
        let outcome = commands::go_on(self, conn, ticket, continuation, answer);
        self.conclude(conn, outcome);
    }

    /// What follows from the outcome of a command, or of one half of it.
    fn conclude(&mut self, conn: ConnId, outcome: Result<Progress, Refusal>) {
        let progress = match outcome {
            Ok(progress) => progress,
            Err(refusal) => {
                if let Some(message) = refusal.message() {
                    self.send(conn, message);
                }
                if let Some(reason) = refusal.closes_because() {
                    self.log(LogLine::Refused { conn, reason });
                    self.close(conn);
                }
                Progress::Done
            }
        };
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.is_busy = match progress {
            Progress::Done => false,
            Progress::Asked => true,
        };
        if !session.is_busy {
            self.effects.push_back(Effect::Done { conn });
            if let Some(message) = session.waiting.take() {
                return self.carry_out(conn, *message);
            }
        }
        self.let_read(conn);
    }

    /// Lets the connection read its next message, unless one waits already.
    fn let_read(&mut self, conn: ConnId) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        if !session.may_read && session.waiting.is_none() {
            session.may_read = true;
            self.effects.push_back(Effect::Ready { conn });
        }
    }

    /// Forgets a connection. Whoever was logged in on it is offline from now on.
    fn end_session(&mut self, conn: ConnId) {
        let Some(session) = self.sessions.remove(&conn) else { return };
        self.login_deadlines.remove(&(session.login_deadline, conn));
        self.count(Count::Client { before: Some(session.client), after: None });
        if let Some(gone) = session.player.and_then(|player| self.players.remove(player, conn)) {
            self.log(LogLine::LoggedOut { conn, player: gone.info.id, login: gone.info.login.clone() });
        }
    }

    /// Ends a connection behind what was sent to it.
    pub(crate) fn close(&mut self, conn: ConnId) {
        if self.sessions.contains_key(&conn) {
            self.effects.push_back(Effect::Close { conn });
            self.end_session(conn);
        }
    }

    fn close_unused(&mut self) {
        while let Some(&(deadline, conn)) = self.login_deadlines.first()
            && self.now.elapsed >= deadline
        {
            self.log(LogLine::Refused { conn, reason: "nobody has logged in".to_owned() });
            self.close(conn);
        }
    }

    fn ping(&mut self) {
        let now = self.now.elapsed;
        if let Some(timeout) = self.settings.idle_timeout {
            let is_silent =
                |session: &Session| session.player.is_some() && session.last_heard + timeout <= now;
            let silent: Vec<ConnId> = self
                .sessions
                .iter()
                .filter(|(_, session)| is_silent(session))
                .map(|(conn, _)| *conn)
                .collect();
            for conn in silent {
                self.log(LogLine::Refused { conn, reason: "the client is silent".to_owned() });
                self.close(conn);
            }
        }
        self.broadcast(ServerMessage::Ping);
    }

    /// Tells everybody what has changed.
    fn report(&mut self) {
        let players = self.players.take_changes();
        if !players.is_empty() {
            self.broadcast(ServerMessage::PlayerInfo(PlayerList { players }));
        }
        if let Lifecycle::Draining { .. } = self.lifecycle {
            // There are no games to wait for.
            self.stop();
        }
    }

    fn schedule_report(&mut self) {
        let is_draining = matches!(self.lifecycle, Lifecycle::Draining { .. });
        if self.next_report.is_none() && (self.players.has_changes() || is_draining) {
            self.next_report = Some(next_on_grid(self.now.elapsed, self.settings.report_interval));
        }
    }

    fn shutdown(&mut self) {
        match self.lifecycle {
            Lifecycle::Running => {
                self.log(LogLine::Shutdown { step: "shutting down: no new games" });
                let grace_period = self.settings.shutdown_grace_period;
                self.lifecycle = Lifecycle::Draining { until: self.now.elapsed + grace_period };
                let text = texts::shutting_down(grace_period);
                self.broadcast(ServerMessage::Notice(Notice::new(NoticeStyle::Info, text)));
            }
            Lifecycle::Draining { .. } => self.stop(),
            Lifecycle::Stopped => {}
        }
    }

    fn stop(&mut self) {
        self.lifecycle = Lifecycle::Stopped;
        self.next_report = None;
        self.log(LogLine::Shutdown { step: "shutting down: closing all connections" });
        self.broadcast(ServerMessage::Notice(Notice::new(NoticeStyle::Info, texts::SHUT_DOWN)));
        let all: Vec<ConnId> = self.sessions.keys().copied().collect();
        for conn in all {
            self.close(conn);
        }
        self.players.take_changes();
        self.effects.push_back(Effect::Stop);
    }

    // What commands need of the world.

    pub(crate) fn session(&self, conn: ConnId) -> &Session {
        self.sessions.get(&conn).expect("commands are carried out for connections that exist")
    }

    pub(crate) fn session_mut(&mut self, conn: ConnId) -> &mut Session {
        self.sessions.get_mut(&conn).expect("commands are carried out for connections that exist")
    }

    /// Notes that somebody has logged in on a connection.
    pub(crate) fn log_in(&mut self, conn: ConnId, player: PlayerId) {
        let session = self.session_mut(conn);
        session.player = Some(player);
        let deadline = session.login_deadline;
        self.login_deadlines.remove(&(deadline, conn));
        self.effects.push_back(Effect::LoggedIn { conn });
    }

    /// Who has logged in on a connection; only for commands that need it.
    pub(crate) fn player_of(&self, conn: ConnId) -> PlayerId {
        self.session(conn).player.expect("the command needs a login")
    }

    pub(crate) fn online(&mut self, player: PlayerId) -> Option<&mut OnlinePlayer> {
        self.players.get_mut(player)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.lifecycle != Lifecycle::Running
    }

    pub(crate) fn send(&mut self, conn: ConnId, message: ServerMessage) {
        self.effects.push_back(Effect::Send { to: Audience::One(conn), message });
    }

    pub(crate) fn send_several(&mut self, conns: Vec<ConnId>, message: ServerMessage) {
        self.effects.push_back(Effect::Send { to: Audience::Several(conns), message });
    }

    /// Sends a message to everybody who is logged in.
    pub(crate) fn broadcast(&mut self, message: ServerMessage) {
        if self.players.len() > 0 {
            self.count(Count::Broadcast);
            self.effects.push_back(Effect::Send { to: Audience::LoggedIn, message });
        }
    }

    pub(crate) fn emit(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(crate) fn count(&mut self, count: Count) {
        self.effects.push_back(Effect::Count(count));
    }

    pub(crate) fn log(&mut self, line: LogLine) {
        self.effects.push_back(Effect::Log(line));
    }

    /// Asks a question; the command goes on with the continuation when the answer comes.
    pub(crate) fn ask(
        &mut self,
        conn: ConnId,
        question: Question,
        continuation: Continuation,
    ) -> Result<Progress, Refusal> {
        let ticket = self.next_ticket;
        self.next_ticket = Ticket(ticket.0 + 1);
        self.questions.insert(ticket, (conn, continuation));
        self.effects.push_back(Effect::Ask { conn, ticket, question });
        Ok(Progress::Asked)
    }

    /// Counts the connection as one of another client.
    pub(crate) fn introduce(&mut self, conn: ConnId, client: Client) {
        let before = std::mem::replace(&mut self.session_mut(conn).client, client.clone());
        if before != client {
            self.count(Count::Client { before: Some(before), after: Some(client) });
        }
    }
}

/// The next multiple of `interval` after `now`.
fn next_on_grid(now: Duration, interval: Duration) -> Duration {
    let interval = interval.max(Duration::from_millis(1));
    let passed = now.as_nanos() / interval.as_nanos();
    let next = (passed + 1).saturating_mul(interval.as_nanos());
    Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
}
