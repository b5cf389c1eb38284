//! Goes through the records of a session: does what the clients did, and notes the messages that
//! they should receive.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use faf_lobby::config::Settings;
use faf_lobby::store::Message;
use faf_protocol::WireFormat;
use faf_sessions::compare::generated_maps::GeneratedMaps;
use faf_sessions::compare::{self, Finding};
use faf_sessions::transcript::{Connect, Http, Record, Sent, Transcript};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, sleep};

use crate::client::{Client, TIME_LIMIT};
use crate::server::{self, Circumstances, TestServer};
use crate::{broker, database};

/// Time between two checks of a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// The wire format of the clients, and the database of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The format of the recording.
    Recorded,
    /// WebSocket, whatever the recording has.
    WebSocket,
    /// The format of the recording, with a database server instead of a file.
    RecordedOnMariaDb,
}

/// Replays a session; returns the differences from the recording.
pub(crate) async fn replay(transcript: &Transcript, over: Over) -> Vec<Finding> {
    replay_with(transcript, over, |_| {}).await
}

/// Replays a session on a server with other settings; returns the differences from the recording.
pub(crate) async fn replay_with(
    transcript: &Transcript,
    over: Over,
    change: impl FnOnce(&mut Settings),
) -> Vec<Finding> {
    let server = match over {
        Over::Recorded | Over::WebSocket => TestServer::start(transcript, change).await,
        Over::RecordedOnMariaDb => TestServer::start_on_mariadb(transcript).await,
    };
    let mut replay = Replay {
        publications: server.publications(),
        circumstances: Circumstances::of(transcript),
        over,
        server,
        clients: BTreeMap::new(),
        numbers: HashMap::new(),
        section: 1,
        has_heard: false,
        expected_publications: Vec::new(),
        received_seeds: GeneratedMaps::default(),
        expected_seeds: GeneratedMaps::default(),
        places: BTreeSet::new(),
        findings: Vec::new(),
    };
    for record in transcript.records.clone() {
        match record {
            // The recording took long enough for the server to ping; the replay does not wait
            // for that.
            Record::Receive(_, message)
                if message["command"] == "ping" && !replay.circumstances.is_pinged => {}
            record => replay.handle(record).await,
        }
    }
    replay.finish().await
}

struct Replay {
    server: TestServer,
    circumstances: Circumstances,
    over: Over,
    clients: BTreeMap<String, Client>,
    /// Clients by their session numbers in the recording.
    numbers: HashMap<u64, String>,
    /// Number of the current section; sections end at barriers and are counted from 1.
    section: usize,
    /// Whether the last record about a connection was a message to a client.
    has_heard: bool,
    /// Publications that are expected in this section.
    expected_publications: Vec<Value>,
    publications: Receiver<Message>,
    /// Generated maps that were received and expected so far.
    received_seeds: GeneratedMaps,
    expected_seeds: GeneratedMaps,
    /// Places on the map that players of matches were given, by game.
    places: BTreeSet<(u64, u64)>,
    findings: Vec<Finding>,
}

impl Replay {
    async fn handle(&mut self, record: Record) {
        match record {
            Record::Barrier => self.end_section().await,
            Record::Step(step) => self.act(&step).await,
            Record::Connect(connect) => self.connect(connect).await,
            Record::Send(conn, sent) => self.send(&conn, sent).await,
            Record::Receive(conn, message) => self.expect(&conn, message),
            Record::ClosedByServer(conn) => self.expect_end(&conn).await,
            Record::ClosedByClient(conn) => {
                self.synchronise().await;
                self.wait_while(Self::lacks_events).await;
                let client = self.client(&conn);
                client.has_left = true;
                client.close().await;
            }
            Record::Http(request) => self.ask(request).await,
            Record::Database(recorded) => {
                self.synchronise().await;
                let now = self.server.facts().await;
                self.note(compare::database::compare(
                    &recorded,
                    &database::tables(&self.server.seed),
                    &database::tables(&now),
                ));
            }
            Record::Publication(publication) => {
                let mut record = compare::broker::record(&publication.routing_key, &publication.body);
                self.expected_seeds.hide(&mut record);
                self.expected_publications.push(record);
            }
            // The server has the keys from the beginning.
            Record::Keys(_) => {}
            Record::PolicyRequest(request) => self.compare_policy_request(request).await,
            Record::Metrics => {
                let metrics = self.server.get("/metrics").await;
                assert_eq!(metrics.status, 200);
                assert!(metrics.body.starts_with("# HELP") && metrics.body.ends_with("# EOF\n"));
            }
        }
    }

    async fn act(&mut self, step: &str) {
        if step.contains(server::SIGNAL) {
            self.server.signal().await;
        } else if step.contains(server::SERVICE_GONE) {
            self.server.policy.as_ref().unwrap().stop();
        }
    }

    async fn connect(&mut self, mut connect: Connect) {
        if self.over == Over::WebSocket {
            connect.format = WireFormat::WebSocket;
        }
        let address = self.server.address(&connect);
        let Connect { conn, format, source, .. } = connect;
        let client = Client::connect(&conn, address, format, source.as_deref()).await;
        self.clients.insert(conn, client);
    }

    async fn send(&mut self, conn: &str, sent: Sent) {
        // Parties must enter a queue in the recorded order, whatever the ways of their messages.
        let is_search = matches!(&sent, Sent::Message(message)
            if message.command().as_deref() == Some("game_matchmaking"));
        if std::mem::take(&mut self.has_heard) || is_search {
            self.synchronise().await;
            self.wait_while(Self::lacks_events).await;
        }
        self.client(conn).send(sent);
    }

    fn expect(&mut self, conn: &str, mut message: Value) {
        self.expected_seeds.hide(&mut message);
        self.has_heard = true;
        if let Some(number) = message["session"].as_u64() {
            self.numbers.insert(number, conn.to_owned());
        }
        self.client(conn).expect(message);
    }

    async fn expect_end(&mut self, conn: &str) {
        let times_out = self.circumstances.logins_time_out;
        let client = self.client(conn);
        if times_out {
            client.read_to_end().await;
        }
        // Like `synchronise`, but works without a server that can report that it has settled.
        let has_pinged = client.ping();
        client.catch_up(has_pinged).await;
        if client.is_open {
            self.synchronise().await;
        }
        let client = self.client(conn);
        client.expect(compare::end());
        if client.is_open {
            // The difference will be reported, but later records of the session rely on the end.
            client.close().await;
        }
    }

    async fn ask(&mut self, Http { path, status, content_type, body }: Http) {
        self.synchronise().await;
        let answer = self.server.get(&path).await;
        if answer.status != status {
            self.note([format!("{path}: {} instead of {status}", answer.status)]);
        }
        // The body of a page that is not found does not matter.
        if status != 200 {
            return;
        }
        let media_type = |content_type: &str| content_type.split(';').next().map(str::to_owned);
        if media_type(&answer.content_type) != media_type(&content_type) {
            self.note([format!("{path}: {} instead of {content_type}", answer.content_type)]);
        }
        let received = serde_json::from_str(&answer.body).unwrap_or(Value::String(answer.body));
        let findings = match path.as_str() {
            "/players" => compare::players(&body, &received),
            "/games" => compare::games(&body, &received),
            _ if body == received => Vec::new(),
            _ => vec![format!("{received} instead of {body}")],
        };
        self.note(findings.into_iter().map(|finding| format!("{path}: {finding}")));
    }

    async fn compare_policy_request(&mut self, mut expected: Value) {
        self.synchronise().await;
        let conn = &self.numbers[&expected["session"].as_u64().unwrap()];
        expected["session"] = self.clients[conn].session.into();
        let received = self.server.policy.as_mut().unwrap().next_request().await;
        if received != expected {
            self.note([format!("policy: {received} instead of {expected}")]);
        }
    }

    /// Waits until everything that was sent has had all its effects, and these have been received.
    async fn synchronise(&mut self) {
        self.exchange_pings().await;
        self.server.settled().await;
        self.exchange_pings().await;
    }

    async fn exchange_pings(&mut self) {
        let pinged: Vec<bool> = self.clients.values_mut().map(Client::ping).collect();
        for (client, has_pinged) in self.clients.values_mut().zip(pinged) {
            client.catch_up(has_pinged).await;
        }
    }

    /// After [`synchronise`](Self::synchronise): waits until broadcasts have been received, too.
    async fn receive_broadcasts(&mut self) {
        let asked: Vec<bool> = self.clients.values_mut().map(Client::ask).collect();
        for (client, has_asked) in self.clients.values_mut().zip(asked) {
            client.receive_broadcasts(has_asked).await;
        }
    }

    async fn end_section(&mut self) {
        self.has_heard = false;
        self.synchronise().await;
        self.wait_while(|replay| replay.lacks_events() || replay.lacks_rounds()).await;
        self.receive_broadcasts().await;
        self.compare().await;
        self.section += 1;
    }

    /// Waits while effects of the server's timers are missing, and until everything that they cause
    /// has been received.
    async fn wait_while(&mut self, lacks: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while lacks(self) && begin.elapsed() < TIME_LIMIT {
            // A client that pings without a pause is read more slowly, and notified.
            sleep(PAUSE).await;
            self.synchronise().await;
        }
        if begin.elapsed() > PAUSE {
            self.synchronise().await;
        }
    }

    /// Returns whether a client has not received everything that time limits of games and rounds of
    /// queues cause in this section.
    fn lacks_events(&self) -> bool {
        (self.circumstances.waits_for_games && self.lacks_games())
            || (self.circumstances.has_rounds && self.clients.values().any(Client::lacks_matches))
    }

    /// Returns whether a round is missing that could have matched players who should still wait.
    fn lacks_rounds(&self) -> bool {
        self.circumstances.has_rounds && self.clients.values().any(Client::lacks_rounds)
    }

    /// Returns whether a client has not received all games that it should have received in
    /// this section.
    fn lacks_games(&self) -> bool {
        let games = |messages: &[Value]| -> BTreeSet<u64> {
            messages
                .iter()
                .filter(|message| message["command"] == "game_info")
                .filter_map(|message| message["uid"].as_u64())
                .collect()
        };
        self.clients.values().any(|client| !games(&client.received).is_superset(&games(&client.expected)))
    }

    async fn compare(&mut self) {
        let mut findings = Vec::new();
        for (name, client) in &mut self.clients {
            // The server would not read anything else from this client, and will close
            // the connection.
            if client.has_announced_too_much() {
                client.read_to_end().await;
            }
            let (expected, mut received) =
                (std::mem::take(&mut client.expected), std::mem::take(&mut client.received));
            received.iter_mut().for_each(|message| self.received_seeds.hide(message));
            client.expected_queues.take(&expected);
            client.received_queues.take(&received);
            let mut queues =
                client.expected_queues.compare(&client.received_queues, client.has_asked_for_queues);
            // The last report may have reached a client that has left, or not.
            if client.has_left {
                queues.clear();
                compare::forget_other_games(&expected, &mut received);
            }
            let places = received.iter().filter_map(place);
            let taken = places.filter(|place| !self.places.insert(*place)).collect::<Vec<_>>();
            let taken =
                taken.into_iter().map(|(game, place)| format!("place {place} of game {game} is taken"));
            let of_client = |what| Finding { section: self.section, client: Some(name.clone()), what };
            let of_section = taken.chain(queues).chain(compare::section(expected, received));
            findings.extend(of_section.map(of_client));
        }
        self.findings.extend(findings);
        let expected = std::mem::take(&mut self.expected_publications);
        let mut published = broker::published(&mut self.publications);
        published.iter_mut().for_each(|record| self.received_seeds.hide(record));
        self.note(compare::broker::compare(expected, published));
    }

    async fn finish(mut self) -> Vec<Finding> {
        if self.clients.values().any(|client| client.is_open) {
            self.synchronise().await;
            self.receive_broadcasts().await;
        }
        for client in self.clients.values_mut() {
            client.read_rest().await;
        }
        self.compare().await;
        for client in self.clients.values_mut().filter(|client| client.is_open) {
            client.close().await;
        }
        self.server.stop().await;
        self.findings
    }

    /// Notes differences that are not in messages to clients.
    fn note(&mut self, findings: impl IntoIterator<Item = String>) {
        let section = self.section;
        self.findings.extend(findings.into_iter().map(|what| Finding { section, client: None, what }));
    }

    fn client(&mut self, name: &str) -> &mut Client {
        self.clients.get_mut(name).unwrap_or_else(|| panic!("{name} has not connected"))
    }
}

/// Returns the game and the place on its map in a `game_launch` of a match.
fn place(message: &Value) -> Option<(u64, u64)> {
    Some((message["uid"].as_u64()?, message["map_position"].as_u64()?))
}
