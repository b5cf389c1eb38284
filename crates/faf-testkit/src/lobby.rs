//! A lobby in simulated time: scripted clients, an in-memory store, and a clock that jumps.
//!
//! Every effect of the lobby is checked: nothing is sent to a connection that has ended, every
//! request has one reply, nothing is read from a held connection, and a report sends players before
//! games.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use faf_lobby_core::{
    Audience, Busy, ConnId, Count, Effect, Event, HoldReason, LogLine, Moment, Publication, QueueEvent,
    Reply, Request, RequestId, Settings, Timestamp, World,
};
pub use faf_lobby_store::Message as Published;
use faf_protocol::{ClientMessage, Country, Encode, Message, PlayerId, ServerMessage, SessionNumber};

use crate::clients::Programs;
use crate::store::FakeStore;

/// Start of simulations: 2026-07-01 12:00 UTC.
pub const BEGINNING: Timestamp = Timestamp(1_782_907_200_000_000);

/// A lobby with its environment, and the effects so far.
#[derive(Debug, Clone)]
pub struct SimulatedLobby {
    /// The lobby itself.
    pub world: World,
    /// Store that carries out the lobby's requests.
    pub store: FakeStore,
    /// Whether requests wait for [`reply_next`](Self::reply_next) instead of being carried out
    /// at once.
    pub holds_replies: bool,
    /// Error of the wall clock, in microseconds.
    pub clock_error: i64,
    /// Whether replies to requests that are not open are expected.
    pub expects_unknown_requests: bool,
    /// All log lines so far.
    pub log: Vec<LogLine>,
    /// All metric events so far.
    pub counts: Vec<Count>,
    /// All events of queues and matches so far.
    pub queue_events: Vec<QueueEvent>,
    /// All results, ratings and achievements published so far.
    pub published: Vec<Published>,
    /// All published changes of players and games so far.
    pub reports: Vec<Publication>,
    /// Logins that were reported to the policy service.
    pub reported: Vec<(PlayerId, String)>,
    /// Client programs that receive all messages, if a test wants to know whether they read them.
    pub programs: Option<Programs>,
    /// Whether the lobby has stopped.
    pub has_stopped: bool,
    settings: Settings,
    now: Duration,
    /// Total run time of earlier lobbies.
    started: Duration,
    clients: BTreeMap<ConnId, Client>,
    next_conn: u64,
    requests: VecDeque<Request>,
    requested: BTreeSet<RequestId>,
}

#[derive(Debug, Clone)]
struct Client {
    incoming: VecDeque<ServerMessage>,
    is_open: bool,
    is_logged_in: bool,
    /// Reasons for which the lobby does not read from the connection.
    holds: BTreeSet<HoldReason>,
    /// Messages that the lobby has not read yet.
    outgoing: VecDeque<Message>,
}

impl SimulatedLobby {
    /// Creates a lobby without connections.
    #[must_use]
    pub fn new(settings: Settings, store: FakeStore) -> Self {
        let now = Moment { elapsed: Duration::ZERO, utc: BEGINNING };
        Self {
            world: World::new(settings.clone(), now, store.beginning()),
            settings,
            store,
            holds_replies: false,
            clock_error: 0,
            expects_unknown_requests: false,
            log: Vec::new(),
            counts: Vec::new(),
            queue_events: Vec::new(),
            published: Vec::new(),
            reports: Vec::new(),
            reported: Vec::new(),
            programs: None,
            has_stopped: false,
            now: Duration::ZERO,
            started: Duration::ZERO,
            clients: BTreeMap::new(),
            next_conn: 1,
            requests: VecDeque::new(),
            requested: BTreeSet::new(),
        }
    }

    /// Returns the time since the start of the simulation.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Returns the time as the lobby's clocks show it.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let utc = Timestamp(BEGINNING.0 + self.clock_error + (self.started + self.now).as_micros() as i64);
        Moment { elapsed: self.now, utc }
    }

    /// Connects a client; the session number is 1000 plus the number of the connection.
    pub fn connect(&mut self) -> ConnId {
        self.connect_from(None)
    }

    /// Connects a client from an address.
    pub fn connect_from(&mut self, address: Option<IpAddr>) -> ConnId {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        let client = Client {
            incoming: VecDeque::new(),
            is_open: true,
            is_logged_in: false,
            holds: BTreeSet::new(),
            outgoing: VecDeque::new(),
        };
        self.clients.insert(conn, client);
        let session = SessionNumber(1000 + conn.0 as u32);
        self.handle(Event::Connected { conn, address, country: Country::UNKNOWN, session });
        conn
    }

    /// Connects a client and logs it in; drops the messages received so far.
    ///
    /// # Panics
    /// If the login is not accepted.
    pub fn log_in(&mut self, login: &str) -> ConnId {
        let conn = self.connect();
        self.send_hello(conn, login);
        assert!(self.clients[&conn].is_logged_in, "{login}: {:?}", self.receive(conn));
        self.receive(conn);
        conn
    }

    /// Sends `hello` with the right password.
    pub fn send_hello(&mut self, conn: ConnId, login: &str) {
        let password = format!("{login}-pw");
        let id = format!("machine-of-{login}");
        self.send(
            conn,
            &format!(r#"{{"command":"hello","login":"{login}","password":"{password}","unique_id":"{id}"}}"#),
        );
    }

    /// Sends a message of a client; the lobby reads it as soon as the connection is not held.
    ///
    /// # Panics
    /// If the text is not a message.
    pub fn send(&mut self, conn: ConnId, text: &str) {
        let message = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        self.client(conn).outgoing.push_back(message);
        self.run();
    }

    /// Disconnects a client.
    pub fn disconnect(&mut self, conn: ConnId) {
        self.client(conn).is_open = false;
        self.handle(Event::Disconnected { conn });
    }

    /// Returns the messages a client has received since the last call, as JSON.
    pub fn receive(&mut self, conn: ConnId) -> Vec<String> {
        let as_text = |message: ServerMessage| {
            let mut json = Vec::new();
            message.write_json(&mut json).expect("messages of the lobby can be encoded");
            String::from_utf8(json).expect("JSON is UTF-8")
        };
        self.client(conn).incoming.drain(..).map(as_text).collect()
    }

    /// Returns the messages a client has received since the last call.
    pub fn receive_messages(&mut self, conn: ConnId) -> Vec<ServerMessage> {
        self.client(conn).incoming.drain(..).collect()
    }

    /// Returns the commands of the messages a client has received since the last call.
    pub fn receive_commands(&mut self, conn: ConnId) -> Vec<String> {
        let command = |text: String| text.parse::<Message>().ok()?.command().map(String::from);
        self.receive(conn).into_iter().filter_map(command).collect()
    }

    /// Returns the number of a client's messages that the lobby has not read yet.
    #[must_use]
    pub fn unread(&self, conn: ConnId) -> usize {
        self.clients[&conn].outgoing.len()
    }

    /// Returns whether the connection is open.
    #[must_use]
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.clients[&conn].is_open
    }

    /// Advances the time, from one deadline to the next.
    pub fn advance(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(deadline) = self.world.next_deadline().filter(|deadline| *deadline <= until) {
            assert!(deadline > self.now || deadline == Duration::ZERO, "an expired deadline was not handled");
            self.now = deadline;
            self.world.handle_timeout(self.moment());
            self.apply_effects();
            self.run();
        }
        self.now = until;
        self.run();
    }

    /// Kills the server: all connections are lost, and a new lobby starts with the stored data.
    pub fn restart(&mut self) {
        self.clients.values_mut().for_each(|client| client.is_open = false);
        self.requests.clear();
        self.requested.clear();
        // The clock of the new lobby starts at zero.
        self.started += self.now;
        self.now = Duration::ZERO;
        self.world = World::new(self.settings.clone(), self.moment(), self.store.beginning());
    }

    /// Requests a shutdown, as the operator does.
    pub fn shut_down(&mut self) {
        self.handle(Event::Shutdown);
    }

    /// Carries out the oldest request; returns whether there was one.
    pub fn reply_next(&mut self) -> bool {
        self.reply_next_with(FakeStore::perform)
    }

    /// Carries out the oldest request, and returns the reply, which the caller gives to
    /// [`reply`](Self::reply).
    ///
    /// # Panics
    /// If there is no request.
    pub fn perform_next(&mut self) -> Reply {
        let request = self.take_next();
        self.store.perform(request)
    }

    /// Removes the oldest request; the caller gives its reply to [`reply`](Self::reply).
    ///
    /// # Panics
    /// If there is no request.
    pub fn take_next(&mut self) -> Request {
        self.requests.pop_front().expect("a request is open")
    }

    /// Passes a reply to the lobby.
    ///
    /// # Panics
    /// If the request already has a reply.
    pub fn reply(&mut self, reply: Reply) {
        let is_open = self.requested.remove(&reply.id());
        assert!(is_open || self.expects_unknown_requests, "{reply:?} is given a second time");
        self.handle(Event::Replied { reply });
        self.published.extend(self.store.deliver());
    }

    /// Returns the number of waiting requests.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.requests.len()
    }

    /// Fails the oldest request as if the database were unavailable; returns whether there was one.
    pub fn fail_next(&mut self) -> bool {
        self.reply_next_with(|_, request| request.unavailable())
    }

    /// Fails the oldest request as if the password queue were full; returns whether there was one.
    pub fn refuse_next_as_busy(&mut self) -> bool {
        self.reply_next_with(|_, request| match request {
            Request::CheckPassword(ticket, _) => ticket.reply(Ok(Err(Busy))),
            other => other.unavailable(),
        })
    }

    fn reply_next_with(&mut self, perform: impl FnOnce(&mut FakeStore, Request) -> Reply) -> bool {
        let Some(request) = self.requests.pop_front() else { return false };
        let reply = perform(&mut self.store, request);
        self.reply(reply);
        true
    }

    /// Passes an event to the lobby, and applies the effects.
    pub fn handle(&mut self, event: Event) {
        self.world.handle(self.moment(), event);
        self.apply_effects();
        self.run();
    }

    /// Lets the lobby read messages and receive replies until nothing is left to do.
    fn run(&mut self) {
        loop {
            if !self.holds_replies && self.reply_next() {
                continue;
            }
            let next = self
                .clients
                .iter_mut()
                .filter(|(_, client)| client.is_open && client.holds.is_empty())
                .find_map(|(conn, client)| Some((*conn, client.outgoing.pop_front()?)));
            let Some((conn, message)) = next else { return };
            let event = Event::Received { conn, message: ClientMessage::read(message) };
            self.world.handle(self.moment(), event);
            self.apply_effects();
        }
    }

    fn apply_effects(&mut self) {
        let mut was_game_told = false;
        while let Some(effect) = self.world.poll_effect() {
            match effect {
                Effect::Send { to, message } => {
                    // Clients look up the players of a game when they receive it.
                    let is_player = matches!(message, ServerMessage::PlayerInfo(_));
                    was_game_told |= matches!(message, ServerMessage::GameInfo(_));
                    let is_report = to == Audience::LoggedIn;
                    assert!(
                        !(is_player && is_report && was_game_told),
                        "a report sends games before players"
                    );
                    self.deliver(&to, &message);
                }
                Effect::SendSnapshot { conn: to, message, .. } | Effect::Relay { to, message, .. } => {
                    self.deliver(&Audience::One(to), &message);
                }
                // Only used for measurements.
                Effect::Done { .. } => {}
                Effect::Hold { conn, reason } => {
                    let client = self.client(conn);
                    assert!(client.is_open, "{conn:?} is closed and not read anyway");
                    assert!(client.holds.insert(reason), "{conn:?} is held already: {reason:?}");
                }
                Effect::Release { conn, reason } => {
                    let client = self.client(conn);
                    assert!(client.is_open, "{conn:?} is closed and must not be read");
                    assert!(client.holds.remove(&reason), "{conn:?} is not held: {reason:?}");
                }
                Effect::LoggedIn { conn } => {
                    let client = self.client(conn);
                    assert!(client.is_open && !client.is_logged_in, "{conn:?} logs in a second time");
                    client.is_logged_in = true;
                }
                Effect::Close { conn } => {
                    let client = self.client(conn);
                    assert!(client.is_open, "{conn:?} is closed a second time");
                    client.is_open = false;
                }
                Effect::Request { conn: _, request } => {
                    assert!(self.requested.insert(request.id()), "{request:?} is made a second time");
                    self.requests.push_back(request);
                }
                Effect::ReportLogin { player, unique_id, .. } => self.reported.push((player, unique_id)),
                Effect::Publish(publication) => {
                    assert!(!publication.is_persistent(), "{publication:?} does not go through the outbox");
                    self.reports.push(publication);
                }
                Effect::Queue(event) => self.queue_events.push(event),
                Effect::Count(count) => self.counts.push(count),
                Effect::Log(line) => {
                    assert!(
                        self.expects_unknown_requests || !matches!(line, LogLine::UnknownRequest { .. }),
                        "{line}"
                    );
                    self.log.push(line);
                }
                Effect::Stop => {
                    assert!(
                        self.clients.values().all(|client| !client.is_open),
                        "connections are open after the stop"
                    );
                    self.has_stopped = true;
                }
            }
        }
    }

    fn deliver(&mut self, to: &Audience, message: &ServerMessage) {
        let conns = match to {
            Audience::One(conn) => vec![*conn],
            Audience::Several(conns) => conns.clone(),
            Audience::LoggedIn => self.logged_in().collect(),
            Audience::LoggedInExcept(others) => {
                self.logged_in().filter(|conn| !others.contains(conn)).collect::<Vec<_>>()
            }
        };
        for conn in conns {
            let client = self.client(conn);
            assert!(client.is_open, "{conn:?} has ended and is sent {message:?}");
            client.incoming.push_back(message.clone());
            if let Some(programs) = &mut self.programs {
                programs.receive(conn, message);
            }
        }
    }

    fn logged_in(&self) -> impl Iterator<Item = ConnId> {
        let members = self.clients.iter().filter(|(_, client)| client.is_open && client.is_logged_in);
        members.map(|(conn, _)| *conn)
    }

    fn client(&mut self, conn: ConnId) -> &mut Client {
        self.clients.get_mut(&conn).unwrap_or_else(|| panic!("{conn:?} does not exist"))
    }

    /// Checks the invariants of a lobby at rest.
    ///
    /// # Panics
    /// If one of them does not hold.
    pub fn check(&self) {
        let open = self.clients.values().filter(|client| client.is_open);
        assert_eq!(self.world.connection_count(), open.clone().count(), "connections without an owner");
        assert_eq!(
            self.world.player_count(),
            open.clone().filter(|client| client.is_logged_in).count(),
            "players without a connection"
        );
        if self.requests.is_empty() {
            for (conn, client) in &self.clients {
                let is_read = client.holds.is_empty() || self.world.will_be_read(*conn);
                assert!(!client.is_open || is_read, "{conn:?} will never be read again");
            }
        }
    }
}
