//! [`World`]: everything the lobby knows, and how it is driven.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use faf_protocol::server_message::{GameInfo, Player, ServerMessage};
use faf_protocol::{ClientMessage, CommandError, Country, GameId, PlayerId, Secret, SessionNumber};
use serde::{Deserialize, Serialize};

use crate::admission::Admission;
use crate::clients::{Client, Clients};
use crate::clock::{Moment, next_on_grid};
use crate::commands::{self, Progress};
use crate::effect::{Audience, Count, Effect, HoldReason, LogLine};
use crate::event::{ConnId, Event};
use crate::failed_logins::FailedLogins;
use crate::games::{Beginning, DATA_INTERVAL, Game, GameData, Games, Leaving};
use crate::io::request::{ReadGameData, ReplyTo, RequestId, Ticket};
use crate::limits::Limits;
use crate::pacing::Unpaid;
use crate::pending::{HasTable, Pending, PendingCommand, Resume, ResumeLobby};
use crate::players::{OnlinePlayer, Players};
use crate::publication::Publication;
use crate::refusal::Refusal;
use crate::session::{Holds, Session};
use crate::settings::Settings;
use crate::timers::{Timer, Timers};

/// The lobby.
///
/// Tell it what happens with [`handle`](Self::handle), and that time has passed with
/// [`handle_timeout`](Self::handle_timeout) when [`next_deadline`](Self::next_deadline) has come. After every single one
/// of these, poll all effects with [`poll_effect`](Self::poll_effect) and carry them out in order. Time never goes back.
///
/// ```
/// use faf_lobby_core::{Beginning, ConnId, Effect, Event, Moment, Settings, Timestamp, World};
/// use faf_protocol::{ClientMessage, Country, SessionNumber};
/// use std::time::Duration;
///
/// let now = Moment { elapsed: Duration::ZERO, utc: Timestamp::from_seconds(1_767_225_600) };
/// let mut world = World::new(Settings::default(), now, Beginning::default());
/// let conn = ConnId(1);
/// let (address, country) = (None, Country::UNKNOWN);
/// world.handle(now, Event::Connected { conn, address, country, session: SessionNumber(7) });
/// while world.poll_effect().is_some() {}
/// world.handle(now, Event::Received { conn, message: Ok(ClientMessage::Ping) });
/// assert!(matches!(world.poll_effect(), Some(Effect::Send { .. })));
/// assert!(matches!(world.poll_effect(), Some(Effect::Done { .. })));
/// assert_eq!(world.poll_effect(), None);
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    pub(crate) settings: Settings,
    pub(crate) now: Moment,
    pub(crate) players: Players,
    pub(crate) games: Games,
    pub(crate) data: GameData,
    pub(crate) timers: Timers,
    pub(crate) failed_logins: FailedLogins,
    pub(crate) admission: Admission,
    pub(crate) unpaid: Unpaid,
    pub(crate) limits: Limits,
    /// Shared by sessions; one that was written and read again has its own.
    #[serde(skip)]
    clients: Clients,
    /// Apart from the map, whose nodes are half empty as a rule.
    sessions: BTreeMap<ConnId, Box<Session>>,
    pub(crate) pending: Pending,
    next_ping: Duration,
    /// When changes are told next; none while there are none.
    next_report: Option<Duration>,
    pub(crate) lifecycle: Lifecycle,
    /// Polled until there are none, after every event.
    #[serde(skip)]
    effects: VecDeque<Effect>,
}

/// Time until the rest of a report follows, if too many players have changed for one.
const REPORT_STEP: Duration = Duration::from_millis(10);

/// How far the server's life has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Lifecycle {
    Running,
    /// No new games; it ends when the running ones have, or at this time.
    Draining {
        until: Duration,
    },
    /// Connections are closed, the next of them at this time, and nothing else is done.
    Closing {
        next: Duration,
    },
    Stopped,
}

impl World {
    /// A lobby without players. It waits for those of the games that it begins with.
    #[must_use]
    pub fn new(settings: Settings, now: Moment, beginning: Beginning) -> Self {
        let Beginning { last_game, data, games } = beginning;
        let mut world = Self {
            next_ping: now.elapsed + settings.ping_interval,
            settings,
            now,
            players: Players::default(),
            games: Games::new(last_game),
            data,
            timers: Timers::default(),
            failed_logins: FailedLogins::default(),
            admission: Admission::default(),
            unpaid: Unpaid::default(),
            limits: Limits::default(),
            clients: Clients::default(),
            sessions: BTreeMap::new(),
            pending: Pending::default(),
            next_report: None,
            lifecycle: Lifecycle::Running,
            effects: VecDeque::new(),
        };
        world.timers.set(now.elapsed + DATA_INTERVAL, Timer::ReadData);
        for game in games {
            world.resume_game(game);
        }
        world
    }

    /// Takes in something that has happened. Deadlines that have come are dealt with first.
    pub fn handle(&mut self, now: Moment, event: Event) {
        self.handle_timeout(now);
        match event {
            Event::Connected { conn, address, country, session } => {
                self.connected(conn, address, country, session);
            }
            Event::Received { conn, message } => self.received(conn, message),
            Event::Heard { conn } => self.heard(conn),
            Event::Disconnected { conn } => self.end_session(conn, Leaving::Lost),
            Event::Replied { reply } => {
                self.replied(reply);
                // A login that has its reply makes room for the next one.
                self.admit();
            }
            Event::Banned { player, ban } => self.banned(player, &ban),
            Event::Kicked { player, reason } => self.kicked(player, reason),
            Event::Reconfigured { settings } => self.reconfigured(*settings),
            Event::Shutdown => self.shutdown(),
        }
        self.schedule_report();
    }

    /// Does what has become due.
    pub fn handle_timeout(&mut self, now: Moment) {
        self.now = now;
        if self.has_stopped() {
            return self.go_on_closing();
        }
        while !self.has_stopped()
            && let Some(timer) = self.timers.take_due(now.elapsed)
        {
            self.timer_is_due(timer);
        }
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
            Lifecycle::Closing { next } => return Some(next),
            _ => None,
        };
        [Some(self.next_ping), self.next_report, draining, self.timers.next()].into_iter().flatten().min()
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

    /// Whether a player is online.
    #[must_use]
    pub fn is_online(&self, player: PlayerId) -> bool {
        self.players.get(player).is_some()
    }

    /// How many connections there are, logged in or not.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.sessions.len()
    }

    /// Whether a connection that is not read now will be without anything else happening: it was too fast, or waits to be signed
    /// in.
    #[must_use]
    pub fn will_be_read(&self, conn: ConnId) -> bool {
        let was_too_fast = |session: &Session| {
            let waits_for_an_answer = session.is_busy && session.waiting.is_some();
            !waits_for_an_answer && session.pacing.reads_at() > self.now.elapsed
        };
        self.session_if_open(conn).is_some_and(was_too_fast) || self.admission.is_waiting(conn)
    }

    /// Whether no request is open and nothing waits to be told: without a new event, only pings will follow.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty()
            && self.admission.is_idle()
            && !self.players.has_changes()
            && self.games.is_settled()
    }

    /// Requests whose reply has not come, each with a description of what waits for it, for diagnosis.
    #[must_use]
    pub fn pending_requests(&self) -> Vec<(RequestId, String)> {
        self.pending.list()
    }

    /// All games that are known, in order of their ids; also those that are over and not forgotten yet.
    pub fn games(&self) -> impl Iterator<Item = &Game> {
        self.games.iter()
    }

    /// All games whose end has not been told, as everybody would see them who could.
    #[must_use]
    pub fn game_infos(&self) -> Vec<Arc<GameInfo>> {
        self.games.untold().map(|game| game.info(&self.players)).collect()
    }

    /// A game that is known; also one that is over and not forgotten yet.
    #[must_use]
    pub fn game(&self, game: GameId) -> Option<&Game> {
        self.games.get(game)
    }

    /// A game as everybody would see it who could; also one whose end has been told, as long as it is known.
    #[must_use]
    pub fn game_info(&self, game: GameId) -> Option<Arc<GameInfo>> {
        self.games.get(game).map(|game| game.info(&self.players))
    }

    /// The world without its secrets, for a log that others may read: every secret is replaced.
    #[must_use]
    pub fn without_secrets(&self, replace: &dyn Fn(&Secret) -> Secret) -> Self {
        let mut world = self.clone();
        for session in world.sessions.values_mut() {
            if let Some(Ok(message)) = session.waiting.as_deref_mut() {
                message.replace_secrets(replace);
            }
        }
        for secret in world.pending.secrets().into_iter().chain(world.games.passwords()) {
            *secret = replace(secret);
        }
        world
    }

    fn connected(&mut self, conn: ConnId, address: Option<IpAddr>, country: Country, number: SessionNumber) {
        if self.has_stopped() {
            self.effects.push_back(Effect::Close { conn });
            return;
        }
        let client = self.clients.share(Client::default());
        self.count(Count::Connection);
        self.count(Count::Client { before: None, after: Some(Arc::clone(&client)) });
        let (now, login_timeout) = (self.now.elapsed, self.settings.login_timeout);
        let unpaid = self.unpaid.of_address(address, now);
        let session = Session::new(number, address, country, client, unpaid, now, login_timeout);
        self.timers.set(session.login_deadline, Timer::Login(conn));
        self.sessions.insert(conn, Box::new(session));
    }

    fn received(&mut self, conn: ConnId, message: Result<ClientMessage, CommandError>) {
        if self.has_stopped() {
            return;
        }
        let now = self.now.elapsed;
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.last_heard = now;
        let is_busy = session.is_busy;
        let is_stranger = session.player.is_none();
        if is_stranger && !is_busy && self.must_wait(conn) {
            // It took over a debt, and its first message is read before anybody can prevent that. A
            // player's message, which may be large, is not kept here; logins have a limit instead.
            self.session_mut(conn).waiting = Some(Box::new(message));
            return self.update_holds(conn);
        }
        self.pay_for(conn, &message);
        if !is_busy {
            return self.dispatch(conn, message);
        }
        // A ping is answered whatever else is going on; clients take a late answer for a lost connection.
        match message {
            Ok(ClientMessage::Ping) => self.send(conn, ServerMessage::Pong),
            Ok(ClientMessage::Pong) => {}
            other => self.session_mut(conn).waiting = Some(Box::new(other)),
        }
        self.update_holds(conn);
    }

    fn heard(&mut self, conn: ConnId) {
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.last_heard = self.now.elapsed;
        }
    }

    fn pay_for(&mut self, conn: ConnId, message: &Result<ClientMessage, CommandError>) {
        let (class, bytes) = commands::price(message);
        self.pay(conn, class, bytes);
    }

    /// The debt of a connection is paid: carries out the message that was read too early, or lets it
    /// read the next one.
    fn debt_is_paid(&mut self, conn: ConnId) {
        let Some(session) = self.sessions.get(&conn) else { return };
        if !session.is_busy
            && session.waiting.is_some()
            && !self.must_wait(conn)
            && let Some(message) = self.session_mut(conn).waiting.take()
        {
            self.pay_for(conn, &message);
            return self.dispatch(conn, *message);
        }
        self.update_holds(conn);
    }

    fn dispatch(&mut self, conn: ConnId, message: Result<ClientMessage, CommandError>) {
        let outcome = commands::handle(self, conn, message);
        self.finish(conn, outcome);
    }

    /// Goes on with a command, unless its connection has ended.
    pub(crate) fn resume_command<R>(&mut self, ticket: Ticket<R>, reply: ReplyTo<R>)
    where
        R: Resume + HasTable<Entry = PendingCommand<<R as Resume>::Memo>>,
    {
        let Some(PendingCommand { conn, memo }) = self.pending.take(ticket) else {
            return self.log(LogLine::UnknownRequest { request: ticket.id() });
        };
        if self.sessions.contains_key(&conn) && !self.has_stopped() {
            let outcome = R::resume(memo, self, conn, reply);
            self.finish(conn, outcome);
        }
    }

    /// Goes on with what the lobby does on its own behalf.
    pub(crate) fn resume_lobby<R>(&mut self, ticket: Ticket<R>, reply: ReplyTo<R>)
    where
        R: ResumeLobby + HasTable<Entry = <R as ResumeLobby>::Memo>,
    {
        match self.pending.take(ticket) {
            Some(memo) => R::resume(memo, self, reply),
            None => self.log(LogLine::UnknownRequest { request: ticket.id() }),
        }
    }

    /// What follows from the outcome of a command, or of one half of it.
    pub(crate) fn finish(&mut self, conn: ConnId, outcome: Result<Progress, Refusal>) {
        let progress = match outcome {
            Ok(progress) => progress,
            Err(refusal) => {
                for message in refusal.messages() {
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
            Progress::Pending => true,
        };
        if !session.is_busy {
            self.effects.push_back(Effect::Done { conn });
            if let Some(message) = session.waiting.take() {
                return self.dispatch(conn, *message);
            }
        }
        self.update_holds(conn);
    }

    /// Tells the reader of the connection which reasons not to read it have come or gone.
    fn update_holds(&mut self, conn: ConnId) {
        if !self.sessions.contains_key(&conn) {
            return;
        }
        let is_over_rate = self.must_wait(conn);
        let now = self.now.elapsed;
        let session = self.session_mut(conn);
        let before = session.holds;
        session.holds = Holds { busy: session.waiting.is_some(), over_rate: is_over_rate };
        let holds = session.holds;
        if holds.is_empty() && !before.is_empty() {
            // Nothing could be heard while nothing was read.
            session.last_heard = now;
        }
        for (reason, was_held, is_held) in [
            (HoldReason::Busy, before.busy, holds.busy),
            (HoldReason::OverRate, before.over_rate, holds.over_rate),
        ] {
            match (was_held, is_held) {
                (false, true) => self.effects.push_back(Effect::Hold { conn, reason }),
                (true, false) => self.effects.push_back(Effect::Release { conn, reason }),
                _ => {}
            }
        }
    }

    /// Forgets a connection. Whoever was logged in on it is offline from now on, and out of the game.
    fn end_session(&mut self, conn: ConnId, how: Leaving) {
        let Some(session) = self.sessions.get(&conn) else { return };
        let is_current =
            |player: &PlayerId| self.players.get(*player).is_some_and(|online| online.conn == conn);
        // A lobby that has stopped leaves its games as they are stored, and others go on with them.
        let is_stopped = self.has_stopped();
        if let Some(player) = session.player.filter(is_current).filter(|_| !is_stopped) {
            self.leave_game(player, how);
        }
        let Some(session) = self.sessions.remove(&conn) else { return };
        self.admission.remove(conn);
        self.timers.remove(session.login_deadline, Timer::Login(conn));
        self.timers.remove(session.pacing.reads_at(), Timer::Read(conn));
        self.unpaid.leave(session.player, session.address, session.pacing, self.now.elapsed);
        self.clients.give_back(&session.client);
        self.count(Count::Client { before: Some(session.client), after: None });
        if let Some(gone) = session.player.and_then(|player| self.players.remove(player, conn)) {
            // A lobby that has stopped leaves him in his game, which shows the names of those who are online.
            gone.game.iter().for_each(|connection| self.games.touch(connection.game));
            self.log(LogLine::LoggedOut { conn, player: gone.info.id, login: gone.info.login.clone() });
        }
    }

    /// Ends a connection behind what was sent to it.
    pub(crate) fn close(&mut self, conn: ConnId) {
        if self.sessions.contains_key(&conn) {
            self.effects.push_back(Effect::Close { conn });
            self.end_session(conn, Leaving::Kicked);
        }
    }

    fn timer_is_due(&mut self, timer: Timer) {
        match timer {
            // Whoever waits to be signed in gets his time when his turn has come.
            Timer::Login(conn) if self.admission.is_waiting(conn) => {}
            Timer::Login(conn) => {
                self.log(LogLine::Refused { conn, reason: "nobody has logged in".to_owned() });
                self.close(conn);
            }
            Timer::GameConnection(conn) => self.game_connection_timed_out(conn),
            Timer::GameSetup(game) => self.game_setup_timed_out(game),
            Timer::Awaited(game) => self.stop_awaiting(game),
            Timer::Overdue(game) => self.game_is_overdue(game),
            Timer::StoreAgain(game) => self.ask_to_store(game),
            Timer::ReadData => self.request_for_lobby(ReadGameData {}, ()),
            Timer::Admission => self.admission_is_due(),
            Timer::Read(conn) => self.debt_is_paid(conn),
            Timer::CloseSilent => self.close_silent(),
            Timer::CloseIdle => self.close_idle(),
            Timer::CloseLobbies => self.close_lobbies(),
        }
    }

    fn ping(&mut self) {
        self.close_silent();
        self.broadcast(ServerMessage::Ping);
    }

    /// Tells everybody what has changed.
    fn report(&mut self) {
        for list in self.players.take_changes().map(Arc::new) {
            self.broadcast(ServerMessage::PlayerInfo(Arc::clone(&list)));
            self.emit(Effect::Publish(Publication::Players(list)));
        }
        if self.players.has_changes() {
            // The others come in a moment, and games behind them.
            self.next_report = Some(self.now.elapsed + REPORT_STEP);
            return;
        }
        self.report_games();
        let is_draining = matches!(self.lifecycle, Lifecycle::Draining { .. });
        if is_draining && !self.games.are_going_on() && !self.games.has_due_changes() {
            self.stop();
        }
    }

    fn schedule_report(&mut self) {
        let is_draining = matches!(self.lifecycle, Lifecycle::Draining { .. });
        let has_changes = self.players.has_changes() || self.games.has_due_changes();
        if self.next_report.is_none() && !self.has_stopped() && (has_changes || is_draining) {
            self.next_report = Some(next_on_grid(self.now.elapsed, self.settings.report_interval));
        }
    }

    // What commands need of the world.

    pub(crate) fn session(&self, conn: ConnId) -> &Session {
        self.sessions.get(&conn).expect("commands are carried out for connections that exist")
    }

    pub(crate) fn session_if_open(&self, conn: ConnId) -> Option<&Session> {
        self.sessions.get(&conn).map(|session| &**session)
    }

    pub(crate) fn session_mut(&mut self, conn: ConnId) -> &mut Session {
        self.sessions.get_mut(&conn).expect("commands are carried out for connections that exist")
    }

    /// Notes that somebody has logged in on a connection.
    pub(crate) fn log_in(&mut self, conn: ConnId, player: PlayerId) {
        let session = self.session_mut(conn);
        session.player = Some(player);
        let deadline = session.login_deadline;
        self.timers.remove(deadline, Timer::Login(conn));
        self.take_over_pacing(conn, player);
        self.effects.push_back(Effect::LoggedIn { conn });
    }

    /// The connection has its whole time to log in from now on.
    pub(crate) fn restart_login_timeout(&mut self, conn: ConnId) {
        let deadline = self.now.elapsed + self.settings.login_timeout;
        let session = self.session_mut(conn);
        let before = std::mem::replace(&mut session.login_deadline, deadline);
        self.timers.remove(before, Timer::Login(conn));
        self.timers.set(deadline, Timer::Login(conn));
    }

    /// Who has logged in on a connection; only for commands that need it.
    pub(crate) fn player_of(&self, conn: ConnId) -> PlayerId {
        self.session(conn).player.expect("the command needs a login")
    }

    pub(crate) fn online(&mut self, player: PlayerId) -> Option<&mut OnlinePlayer> {
        self.players.get_mut(player)
    }

    /// Whether everything ends now, or has.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        matches!(self.lifecycle, Lifecycle::Closing { .. } | Lifecycle::Stopped)
    }

    fn go_on_closing(&mut self) {
        if let Lifecycle::Closing { next } = self.lifecycle
            && self.now.elapsed >= next
        {
            self.close_some();
        }
    }

    /// All connections, in order of their numbers.
    pub(crate) fn connections(&self) -> impl Iterator<Item = ConnId> {
        self.connections_where(|_| true)
    }

    /// Connections of which something is so.
    pub(crate) fn connections_where(&self, holds: impl Fn(&Session) -> bool) -> impl Iterator<Item = ConnId> {
        self.sessions.iter().filter(move |(_, session)| holds(session)).map(|(conn, _)| *conn)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.lifecycle != Lifecycle::Running
    }

    pub(crate) fn send(&mut self, conn: ConnId, message: ServerMessage) {
        self.effects.push_back(Effect::Send { to: Audience::One(conn), message });
    }

    pub(crate) fn send_several(&mut self, conns: Vec<ConnId>, message: ServerMessage) {
        self.send_to(Audience::Several(conns), message);
    }

    /// Sends a message, if there is anybody to get it.
    pub(crate) fn send_to(&mut self, to: Audience, message: ServerMessage) {
        let is_nobody = match &to {
            Audience::One(_) => false,
            Audience::Several(conns) => conns.is_empty(),
            Audience::LoggedIn => self.players.len() == 0,
            Audience::LoggedInExcept(conns) => conns.len() >= self.players.len(),
        };
        if !is_nobody {
            self.effects.push_back(Effect::Send { to, message });
        }
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

    /// With a shorter interval between pings, the next one comes sooner.
    pub(crate) fn ping_no_later_than(&mut self, interval: Duration) {
        self.next_ping = self.next_ping.min(next_on_grid(self.now.elapsed, interval));
    }

    /// Makes a request. The command goes on in [`Resume::resume`] when the reply comes.
    pub(crate) fn request<R>(
        &mut self,
        conn: ConnId,
        request: R,
        memo: <R as Resume>::Memo,
    ) -> Result<Progress, Refusal>
    where
        R: Resume + HasTable<Entry = PendingCommand<<R as Resume>::Memo>>,
    {
        let ticket = self.pending.insert(PendingCommand { conn, memo });
        self.effects.push_back(Effect::Request { conn: Some(conn), request: request.request(ticket) });
        Ok(Progress::Pending)
    }

    /// Makes a request for which no connection waits.
    pub(crate) fn request_for_lobby<R>(&mut self, request: R, memo: <R as ResumeLobby>::Memo)
    where
        R: ResumeLobby + HasTable<Entry = <R as ResumeLobby>::Memo>,
    {
        let ticket = self.pending.insert(memo);
        self.effects.push_back(Effect::Request { conn: None, request: request.request(ticket) });
    }

    /// A player who is logging in has been rated or banned: what was read of the player may be out of date.
    pub(crate) fn rated_while_logging_in(&mut self, player: PlayerId) {
        for entry in self.pending.sign_in.values_mut() {
            entry.memo.rated(player);
        }
    }

    /// Counts the connection as one of another client.
    pub(crate) fn introduce(&mut self, conn: ConnId, client: Client) {
        let client = self.clients.share(client);
        let before = std::mem::replace(&mut self.session_mut(conn).client, Arc::clone(&client));
        self.clients.give_back(&before);
        if before != client {
            self.count(Count::Client { before: Some(before), after: Some(client) });
        }
    }
}

impl ResumeLobby for ReadGameData {
    type Memo = ();

    fn resume((): (), world: &mut World, reply: ReplyTo<Self>) {
        // While the database is away, the data that was read before has to do.
        if let Ok(data) = reply {
            world.data = *data;
        }
        world.timers.set(world.now.elapsed + DATA_INTERVAL, Timer::ReadData);
    }
}
