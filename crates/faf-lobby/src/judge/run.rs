//! Runs a recording: passes what clients have sent to the [`World`] at its recorded time, carries
//! out the requests of the lobby at once, and gives both sides to the lanes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_core::{
    Audience, ConnId, Effect, Event, HoldReason, InitialState, Moment, RecordedMatch, Reply, Request,
    Timestamp, World,
};
use faf_protocol::{
    ClientMessage, CommandError, Country, Encode, GameId, Message, PlayerId, ServerMessage, WireFormat,
};
use faf_sessions::compare;
use faf_sessions::differences::{Differences, TOO_LONG, Verb};
use faf_sessions::recording::{Entry, Recorded, Side as End};

use super::ahead::{Ahead, Next, What};
use super::answers::{self, Login};
use super::bytes::{Bytes, Read};
use super::findings::Findings;
use super::heard::{Heard, Reading};
use super::lanes::{Lanes, Side};
use super::realign::Reopened;
use super::report::Report;
use super::rounds::{self, Rounds};
use crate::auth::passwords::PasswordThreads;
use crate::auth::tokens::{OwnTokens, Tokens};
use crate::clock::utc_now;
use crate::config::Settings;
use crate::lobby::requests::RequestExecutor;
use crate::store::{Store, StoreError};

/// Time after which nothing more follows about a connection that has ended.
const FORGOTTEN: Duration = Duration::from_secs(20);

/// Number of logins after which a database without any of these accounts must be another one.
const LOGINS_WITHOUT_ACCOUNT: u64 = 20;

/// The first id of a game that the recording does not have.
const INVENTED_GAMES: u32 = 1_500_000_000;

/// Number of tokens whose owner is remembered.
const TOKENS: usize = 100_000;

/// A recording that is being judged. Memory is needed for what is open at one time, not for the
/// length of the recording.
#[derive(Debug)]
pub struct Judge<'a> {
    world: World,
    executor: RequestExecutor,
    now: Duration,
    /// Time of day when the recording began.
    began_at: Timestamp,
    ahead: Ahead,
    reading: Reading,
    pub(super) lanes: Lanes,
    findings: Findings<'a>,
    rounds: Rounds,
    pub(super) report: Report,
    pub(super) conns: BTreeMap<u64, Conn>,
    pub(super) reopened: Reopened,
    logged_in: BTreeSet<u64>,
    requests: VecDeque<(Option<ConnId>, Request)>,
    /// Connections that may be read again.
    ready: VecDeque<u64>,
    /// Connections that have ended, with the time at which nothing about them is open any more.
    gone: VecDeque<(Duration, u64)>,
    owners: HashMap<String, PlayerId>,
    invented: u32,
    accounts: AccountCounts,
}

/// Recorded logins whose account is in the database, or is not.
#[derive(Debug, Default)]
struct AccountCounts {
    found: u64,
    missing: u64,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Conn {
    format: WireFormat,
    /// Its number in this lobby: that of the recording, unless it was opened again.
    pub(super) ours: ConnId,
    pub(super) country: Country,
    pub(super) is_open: bool,
    /// Whether it has ended in the recording.
    pub(super) has_left: bool,
    /// Whether the player logs in again after a difference.
    pub(super) is_returning: bool,
    pub(super) holds: BTreeSet<HoldReason>,
    /// Messages that the lobby has not read yet.
    pub(super) outgoing: VecDeque<Result<ClientMessage, CommandError>>,
    bytes: Option<Box<Bytes>>,
    player: Option<PlayerId>,
    pub(super) login: Option<String>,
}

impl<'a> Judge<'a> {
    /// Begins with the database as it was when the recording began. The settings should be those of
    /// the recorded server. The database is changed as the lobby changes it.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn begin(
        settings: &Settings,
        store: Store,
        differences: &'a Differences,
    ) -> Result<Self, StoreError> {
        let initial = InitialState { seed: 0, ..store.beginning().await? };
        let began_at = utc_now();
        let now = Moment { elapsed: Duration::ZERO, utc: began_at };
        let mut world = World::new(settings.lobby(), now, initial);
        world.repeat_recorded_rounds();
        let executor = RequestExecutor {
            store: store.clone(),
            tokens: Arc::new(Tokens::new(settings)),
            own_tokens: Arc::new(OwnTokens::new(store)),
            passwords: PasswordThreads::new(),
            outbox: Arc::default(),
            fails_to_store: Arc::default(),
            registers: false,
        };
        Ok(Self {
            world,
            executor,
            now: Duration::ZERO,
            began_at,
            ahead: Ahead::default(),
            reading: Reading::default(),
            lanes: Lanes::default(),
            findings: Findings::new(differences),
            rounds: Rounds::default(),
            report: Report::default(),
            conns: BTreeMap::new(),
            reopened: Reopened::default(),
            logged_in: BTreeSet::new(),
            requests: VecDeque::new(),
            ready: VecDeque::new(),
            gone: VecDeque::new(),
            owners: HashMap::new(),
            invented: INVENTED_GAMES,
            accounts: AccountCounts::default(),
        })
    }

    /// Adds the next entry of the recording. Its meaning may depend on entries that follow within
    /// two and a half minutes, so that it is judged later.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn add(&mut self, Recorded { at, entry }: Recorded) -> Result<(), StoreError> {
        let what = match entry {
            Entry::Opened { conn, format, address } => What::Opened { conn: conn.0, format, address },
            Entry::FromClient { conn, message } => What::Sent { conn: conn.0, message },
            Entry::BytesFromClient { conn, bytes } => What::SentBytes { conn: conn.0, bytes },
            Entry::FromServer { conn, message } => match self.reading.read(message.as_str()) {
                Some(heard) => {
                    if let Heard::Queues(queues) = &*heard {
                        for (queue, pop) in
                            queues.iter().filter_map(|queue| Some((queue, queue.pop.as_ref()?)))
                        {
                            self.rounds.announce(&queue.name, pop, at);
                        }
                    }
                    What::Heard { conn: conn.0, heard }
                }
                None => return Ok(()),
            },
            Entry::Closed { conn, by } => What::Closed { conn: conn.0, by },
            Entry::Incomplete { conn } => What::Incomplete { conn: conn.0 },
            Entry::Clock { utc } => What::Clock { utc },
            _ => {
                self.report.remark("entries of a kind that this version does not know");
                return Ok(());
            }
        };
        self.ahead.add(at, what);
        while let Some(next) = self.ahead.take_due() {
            self.play(next).await?;
        }
        Ok(())
    }

    /// Judges the rest, and returns the outcome.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn finish(mut self) -> Result<Report, StoreError> {
        while let Some(next) = self.ahead.take() {
            self.play(next).await?;
        }
        let pieces = self.lanes.settle_all(self.now);
        self.findings.note(pieces, self.now);
        self.explain(None);
        self.report.seconds = self.now.as_secs_f64();
        self.report.unused = self.findings.unused();
        Ok(self.report)
    }

    /// The outcome so far, of the part that is judged.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Returns whether it makes no sense to go on; [`Report::stopped`] says why.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.report.stopped.is_some()
    }

    async fn play(&mut self, Next { at, what, number }: Next) -> Result<(), StoreError> {
        if self.has_stopped() {
            return Ok(());
        }
        while let Some((due, queue)) = self.rounds.take_due(at) {
            self.advance(due).await?;
            self.play_round(&queue).await?;
        }
        self.advance(at).await?;
        self.report.seconds = at.as_secs_f64();
        match what {
            What::Opened { conn, format, address } => {
                let (session, country) = answers::beginning(&mut self.ahead, conn);
                self.report.connections += 1;
                self.lanes.open(conn);
                let new = Conn {
                    format,
                    ours: ConnId(conn),
                    country,
                    is_open: true,
                    has_left: false,
                    is_returning: false,
                    holds: BTreeSet::new(),
                    outgoing: VecDeque::new(),
                    bytes: None,
                    player: None,
                    login: None,
                };
                self.conns.insert(conn, new);
                self.handle(Event::Connected { conn: ConnId(conn), address, country, session }).await?;
            }
            What::Sent { conn, message } => {
                self.note_sent(conn, &message);
                self.receive(conn, ClientMessage::read(message)).await?;
            }
            What::SentBytes { conn, bytes } => self.receive_bytes(conn, &bytes).await?,
            What::Heard { conn, heard } => self.hear_recorded(conn, &heard, number).await?,
            What::Closed { conn, by } => self.close(conn, by).await?,
            What::Incomplete { conn } => {
                self.report.remark("connections whose recording is incomplete");
                self.lanes.left(conn);
                self.disconnect(conn).await?;
            }
            What::Clock { utc } => {
                // Only the calendar of the lobby follows a clock that jumps.
                let elapsed = i64::try_from(self.now.as_micros()).unwrap_or(i64::MAX);
                self.began_at = Timestamp(utc.saturating_sub(elapsed));
            }
        }
        Ok(())
    }

    /// Notes a message of a client for conditions of differences.
    fn note_sent(&mut self, conn: u64, message: &Message) {
        self.report.from_clients += 1;
        let command = message.command().unwrap_or_default();
        self.lanes.sent(conn, &command, self.now);
        if !matches!(&*command, "ping" | "pong") {
            let sorted =
                serde_json::from_str(message.as_str()).map(|value: serde_json::Value| value.to_string());
            let text = sorted.unwrap_or_else(|_| message.as_str().to_owned());
            self.findings.said(conn, Verb::Sends, &text, self.now);
        }
    }

    pub(super) async fn receive(
        &mut self,
        conn: u64,
        message: Result<ClientMessage, CommandError>,
    ) -> Result<(), StoreError> {
        match self.conns.get_mut(&conn) {
            Some(client) if client.is_open => client.outgoing.push_back(message),
            other => {
                self.report.remark(match other {
                    Some(_) => "messages of clients after this lobby has ended their connection",
                    None => "messages on connections whose beginning is not recorded",
                });
                return Ok(());
            }
        }
        self.ready.push_back(conn);
        self.pump().await
    }

    async fn receive_bytes(&mut self, conn: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let is_logged_in = self.logged_in.contains(&conn);
        let Some(client) = self.conns.get_mut(&conn).filter(|client| client.is_open) else { return Ok(()) };
        self.lanes.sent(conn, "", self.now);
        let decoder = client.bytes.get_or_insert_with(|| Box::new(Bytes::new(client.format)));
        for read in decoder.read(bytes, is_logged_in) {
            match read {
                Read::Message(message) => {
                    if let Ok(message) = &*message
                        && let Ok(message) = Message::from_value(message)
                    {
                        self.note_sent(conn, &message);
                    }
                    self.receive(conn, *message).await?;
                }
                Read::TooLong => self.findings.said(conn, Verb::Sends, TOO_LONG, self.now),
                Read::End => {
                    self.lanes.ended(conn, Side::Ours, self.now);
                    self.disconnect(conn).await?;
                }
            }
        }
        Ok(())
    }

    async fn hear_recorded(&mut self, conn: u64, heard: &Arc<Heard>, number: u64) -> Result<(), StoreError> {
        self.report.count(heard.command(), |messages| messages.recorded += 1);
        self.lanes.hear(conn, Side::Recorded, heard, self.now);
        if let Heard::Direct(message) = &**heard {
            self.findings.said(conn, Verb::Receives, &message.to_string(), self.now);
            if message["command"] == "match_found" && !self.ahead.is_given(conn, number) {
                let queue = message["queue_name"].as_str().unwrap_or_default();
                self.play_round(queue).await?;
            }
        }
        Ok(())
    }

    /// Plays the round of a queue that the recording shows at this time.
    async fn play_round(&mut self, queue: &str) -> Result<(), StoreError> {
        if !self.rounds.begin(queue, self.now) {
            return Ok(());
        }
        let Some(team_size) =
            self.world.queues().find(|one| one.data().name == queue).map(|one| one.data().team_size)
        else {
            self.report.remark("rounds of queues that the database does not have");
            return Ok(());
        };
        self.world.handle_timeout(self.moment());
        self.perform_effects();
        let own = self.world.matches_now(queue);
        let (conns, invented) = (&self.conns, &mut self.invented);
        let player = |conn: u64| {
            let conn = conns.get(&conn)?;
            Some((conn.player?, conn.login.clone()?))
        };
        let mut invent = || next_invented(invented);
        let matches =
            rounds::matches(&mut self.ahead, queue, team_size, self.now, &player, &mut invent, &own);
        let impossible = self.world.play_recorded_round(queue, matches.clone());
        self.perform_effects();
        let counts = &mut self.report.rounds;
        counts.played += 1;
        counts.matches += matches.len() as u64;
        counts.impossible += impossible.len() as u64;
        let is_same = |recorded: &&RecordedMatch| own.iter().any(|teams| recorded.is_same_as(teams));
        counts.same += matches.iter().filter(is_same).count() as u64;
        self.world.handle_timeout(self.moment());
        self.pump().await
    }

    async fn close(&mut self, conn: u64, by: End) -> Result<(), StoreError> {
        match by {
            End::Client => {}
            End::Server => {
                self.findings.said(conn, Verb::Receives, &compare::end().to_string(), self.now);
                self.lanes.ended(conn, Side::Recorded, self.now);
            }
        }
        // The client sends nothing more, so the connection ends here, too. The lobby would have
        // ended it before, as it receives everything earlier.
        self.disconnect(conn).await?;
        self.lanes.left(conn);
        if let Some(client) = self.conns.get_mut(&conn) {
            client.has_left = true;
            self.reopened.forget(client.ours);
        }
        self.gone.push_back((self.now + FORGOTTEN, conn));
        Ok(())
    }

    /// Ends a connection here that the client has ended, or the recorded server.
    async fn disconnect(&mut self, conn: u64) -> Result<(), StoreError> {
        self.logged_in.remove(&conn);
        let Some(client) = self.conns.get_mut(&conn).filter(|client| client.is_open) else { return Ok(()) };
        client.is_open = false;
        let conn = client.ours;
        self.handle(Event::Disconnected { conn }).await
    }

    /// Advances the time, from one deadline to the next.
    async fn advance(&mut self, until: Duration) -> Result<(), StoreError> {
        while let Some(deadline) = self.world.next_deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.world.handle_timeout(self.moment());
            self.pump().await?;
            self.settle().await?;
        }
        self.now = self.now.max(until);
        self.settle().await
    }

    /// Compares what is quiet by now.
    async fn settle(&mut self) -> Result<(), StoreError> {
        let pieces = self.lanes.settle(self.now);
        if !pieces.is_empty() {
            // Boxed, as it may lead to another settlement in theory.
            Box::pin(self.realign(&pieces)).await?;
        }
        self.findings.note(pieces, self.now);
        self.explain(Some(self.now));
        while self.gone.front().is_some_and(|(due, _)| *due <= self.now) {
            let Some((_, conn)) = self.gone.pop_front() else { break };
            self.conns.remove(&conn);
            self.findings.forget(conn);
        }
        Ok(())
    }

    fn explain(&mut self, now: Option<Duration>) {
        let conns = &self.conns;
        let player = |conn: u64| conns.get(&conn)?.login.clone();
        self.findings.explain(now, &mut self.report, &player);
    }

    pub(super) async fn handle(&mut self, event: Event) -> Result<(), StoreError> {
        self.world.handle(self.moment(), event);
        self.pump().await
    }

    /// Lets the lobby read messages and receive replies until nothing is left to do.
    async fn pump(&mut self) -> Result<(), StoreError> {
        loop {
            self.perform_effects();
            if let Some((conn, request)) = self.requests.pop_front() {
                let reply = self.reply(conn, request).await?;
                self.world.handle(self.moment(), Event::Replied { reply });
                continue;
            }
            let Some(conn) = self.ready.pop_front() else { return Ok(()) };
            let Some(client) = self.conns.get_mut(&conn) else { continue };
            if !client.is_open || !client.holds.is_empty() {
                continue;
            }
            let Some(message) = client.outgoing.pop_front() else { continue };
            if !client.outgoing.is_empty() {
                self.ready.push_back(conn);
            }
            if matches!(message, Ok(ClientMessage::GameHost(_))) {
                let recorded = answers::hosted(&mut self.ahead, conn, self.now);
                let id = recorded.unwrap_or_else(|| next_invented(&mut self.invented));
                self.world.set_next_game(id);
            }
            let conn = client.ours;
            self.world.handle(self.moment(), Event::Received { conn, message });
        }
    }

    async fn reply(&mut self, conn: Option<ConnId>, request: Request) -> Result<Reply, StoreError> {
        let store = &self.executor.store;
        let (conn, now) = (conn.map_or(0, |conn| self.reopened.recorded(conn)), self.now);
        Ok(match request {
            Request::CheckPassword(ticket, request)
                if self
                    .conns
                    .get_mut(&conn)
                    .is_some_and(|client| std::mem::take(&mut client.is_returning)) =>
            {
                ticket.reply(answers::password(store, &Login::Otherwise, &request).await?)
            }
            Request::CheckPassword(ticket, request) => {
                let login = answers::login(&mut self.ahead, conn, now);
                let reply = answers::password(store, &login, &request).await?;
                let account = reply.as_ref().ok().and_then(|reply| reply.as_ref().ok()?.as_ref());
                self.note_login(conn, &login, account.map(|account| account.login.as_str()));
                ticket.reply(reply)
            }
            Request::CheckToken(ticket, request) => {
                let login = answers::login(&mut self.ahead, conn, now);
                let token = request.token.reveal();
                let reply = answers::token(store, &login, self.owners.get(token).copied()).await?;
                if let (Login::Accepted(player, _), true) = (&login, self.owners.len() < TOKENS) {
                    self.owners.insert(token.to_owned(), *player);
                }
                let account = reply.as_ref().ok().and_then(|reply| reply.as_ref().ok()?.as_ref());
                self.note_login(conn, &login, account.map(|account| account.login.as_str()));
                ticket.reply(reply)
            }
            other => {
                let reply = self.executor.perform(other).await;
                if let Reply::StoreGame(_, Ok(Ok(ratings))) = &reply {
                    for change in ratings {
                        self.findings.rated(change.player, self.now);
                    }
                }
                reply
            }
        })
    }

    /// Notes a login of the recording, and the name of its account in the database.
    fn note_login(&mut self, conn: u64, login: &Login, account: Option<&str>) {
        let Login::Accepted(player, name) = login else { return };
        if let Some(client) = self.conns.get_mut(&conn) {
            (client.player, client.login) = (Some(*player), Some(name.clone()));
        }
        if account == Some(name) {
            self.accounts.found += 1;
            return;
        }
        self.accounts.missing += 1;
        self.report.remark("logins to accounts that the database does not have");
        if self.accounts.found == 0 && self.accounts.missing >= LOGINS_WITHOUT_ACCOUNT {
            self.report.stopped = Some(format!(
                "none of the first {LOGINS_WITHOUT_ACCOUNT} players who log in has an account in this database; it must \
                 be a copy of the recorded server's, taken when the recording began"
            ));
        }
    }

    fn perform_effects(&mut self) {
        while let Some(effect) = self.world.poll_effect() {
            match effect {
                Effect::Send { to, message } => self.hear_ours(&to, &message),
                Effect::SendSnapshot { conn: to, message, .. } | Effect::Relay { to, message, .. } => {
                    self.hear_ours(&Audience::One(to), &message);
                }
                Effect::Hold { conn, reason } => {
                    let conn = self.reopened.recorded(conn);
                    if let Some(client) = self.conns.get_mut(&conn) {
                        client.holds.insert(reason);
                    }
                }
                Effect::Release { conn, reason } => {
                    let conn = self.reopened.recorded(conn);
                    if let Some(client) = self.conns.get_mut(&conn) {
                        client.holds.remove(&reason);
                        self.ready.push_back(conn);
                    }
                }
                Effect::LoggedIn { conn } => {
                    self.logged_in.insert(self.reopened.recorded(conn));
                }
                Effect::Close { conn } => {
                    let conn = self.reopened.recorded(conn);
                    self.logged_in.remove(&conn);
                    if let Some(client) = self.conns.get_mut(&conn) {
                        client.is_open = false;
                    }
                    self.lanes.ended(conn, Side::Ours, self.now);
                }
                Effect::Request { conn, request } => self.requests.push_back((conn, request)),
                Effect::Done { .. }
                | Effect::ReportLogin { .. }
                | Effect::Publish(_)
                | Effect::Queue(_)
                | Effect::Count(_)
                | Effect::Log(_)
                | Effect::Stop => {}
            }
        }
    }

    fn hear_ours(&mut self, to: &Audience, message: &ServerMessage) {
        let mut json = Vec::new();
        if message.write_json(&mut json).is_err() {
            return self.report.remark("messages of this lobby that cannot be encoded");
        }
        let Some(heard) = self.reading.read(&String::from_utf8_lossy(&json)) else { return };
        let (lanes, now, reopened) = (&mut self.lanes, self.now, &self.reopened);
        let mut receivers = 0;
        let mut hear = |conn: u64| {
            receivers += 1;
            lanes.hear(conn, Side::Ours, &heard, now);
        };
        match to {
            Audience::One(conn) => hear(reopened.recorded(*conn)),
            Audience::Several(conns) => conns.iter().for_each(|conn| hear(reopened.recorded(*conn))),
            Audience::LoggedIn => self.logged_in.iter().for_each(|conn| hear(*conn)),
            Audience::LoggedInExcept(others) => {
                let is_other = |conn: &&u64| others.iter().any(|other| reopened.recorded(*other) == **conn);
                let all = self.logged_in.iter().filter(|conn| !is_other(conn));
                all.for_each(|conn| hear(*conn));
            }
        }
        self.report.count(heard.command(), |messages| messages.ours += receivers);
    }

    fn moment(&self) -> Moment {
        Moment { elapsed: self.now, utc: self.began_at.after(self.now) }
    }
}

fn next_invented(last: &mut u32) -> GameId {
    *last += 1;
    GameId(*last)
}
