//! Goes through the records of a session: does what the clients did, and notes what they should have received.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use faf_testkit::golden::sessions::{self, Connect, Http, Record, Sent};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::client::{Client, PATIENCE};
use crate::differences::DIFFERENCES;
use crate::server::{self, TestServer};
use crate::{compare, database};

/// Between two looks whether a time has come.
const PAUSE: Duration = Duration::from_millis(20);

/// Replays a session and checks that it differs from the recording as stated, and in nothing else.
pub(crate) async fn replay(session: &str) {
    let transcript = sessions::transcript(session);
    let server = TestServer::start(session, &transcript).await;
    let mut replay = Replay {
        session,
        server,
        clients: BTreeMap::new(),
        numbers: HashMap::new(),
        section: 1,
        has_heard: false,
        findings: BTreeSet::new(),
    };
    let times_out = transcript.overrides.get("LOGIN_TIMEOUT").is_some();
    let is_pinged = transcript.overrides.get("PING_INTERVAL").is_some();
    for record in transcript.records {
        match record {
            // It took so long that the server has pinged; nobody waits for so long here.
            Record::Receive(_, message) if message["command"] == "ping" && !is_pinged => {}
            record => replay.carry_out(record, times_out).await,
        }
    }
    let findings = replay.finish().await;
    DIFFERENCES.check(session, &findings);
}

struct Replay<'a> {
    session: &'a str,
    server: TestServer,
    clients: BTreeMap<String, Client>,
    /// Clients by the session numbers they had in the recording.
    numbers: HashMap<u64, String>,
    /// Sections end at barriers and are counted from 1.
    section: usize,
    /// Whether the last record that says anything about a connection was a message to a client.
    has_heard: bool,
    findings: BTreeSet<String>,
}

impl Replay<'_> {
    async fn carry_out(&mut self, record: Record, times_out: bool) {
        match record {
            Record::Barrier => self.end_section().await,
            Record::Step(step) => self.act(&step).await,
            Record::Connect(connect) => self.connect(connect).await,
            Record::Send(conn, sent) => self.send(&conn, sent).await,
            Record::Receive(conn, message) => self.expect(&conn, message),
            Record::ClosedByServer(conn) => self.expect_end(&conn, times_out).await,
            Record::ClosedByClient(conn) => {
                self.synchronise().await;
                self.client(&conn).close().await;
            }
            Record::Http(request) => self.ask(request).await,
            Record::Database(recorded) => {
                self.synchronise().await;
                let place = format!("{} database", self.section);
                let seed = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(seed.path(), server::seeded().await).unwrap();
                self.note(database::compare(&place, &recorded, seed.path(), &self.server.database()));
            }
            // It has them from the beginning.
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
        match step {
            "SIGTERM" | "second SIGTERM" => self.server.signal().await,
            "service gone" => self.server.policy.as_ref().unwrap().stop(),
            _ => {}
        }
    }

    async fn connect(&mut self, connect: Connect) {
        let address = self.server.address(&connect);
        let Connect { conn, format, source, .. } = connect;
        let client = Client::connect(&conn, address, format, source.as_deref()).await;
        self.clients.insert(conn, client);
    }

    async fn send(&mut self, conn: &str, sent: Sent) {
        if std::mem::take(&mut self.has_heard) {
            self.synchronise().await;
        }
        self.client(conn).send(sent);
    }

    fn expect(&mut self, conn: &str, message: Value) {
        self.has_heard = true;
        if let Some(number) = message["session"].as_u64() {
            self.numbers.insert(number, conn.to_owned());
        }
        self.client(conn).expect(message);
    }

    async fn expect_end(&mut self, conn: &str, times_out: bool) {
        let client = self.client(conn);
        if times_out {
            client.read_to_end().await;
        }
        // Like `synchronise`, but goes without a server that can say whether it has settled.
        let has_pinged = client.ping();
        client.catch_up(has_pinged).await;
        if client.is_open {
            self.synchronise().await;
        }
        let client = self.client(conn);
        client.expect(compare::end());
        if client.is_open {
            // It will be missed. What follows in the session builds on it, though.
            client.close().await;
        }
    }

    async fn ask(&mut self, Http { path, status, content_type, body }: Http) {
        self.synchronise().await;
        let place = format!("{} {path}", self.section);
        let answer = self.server.get(&path).await;
        if answer.status != status {
            self.note([format!("{place}: {} instead of {status}", answer.status)]);
        }
        // Nobody depends on what a page that is not found says.
        if status != 200 {
            return;
        }
        let media_type = |content_type: &str| content_type.split(';').next().map(str::to_owned);
        if media_type(&answer.content_type) != media_type(&content_type) {
            self.note([format!("{place}: {} instead of {content_type}", answer.content_type)]);
        }
        let received = serde_json::from_str(&answer.body).unwrap_or(Value::String(answer.body));
        self.note(match path.as_str() {
            "/players" => compare::players(&place, &body, &received),
            "/games" => compare::games(&place, &body, &received),
            _ if body == received => Vec::new(),
            _ => vec![format!("{place}: {received} instead of {body}")],
        });
    }

    async fn compare_policy_request(&mut self, mut expected: Value) {
        self.synchronise().await;
        let conn = &self.numbers[&expected["session"].as_u64().unwrap()];
        expected["session"] = self.clients[conn].session.into();
        let received = self.server.policy.as_mut().unwrap().next_request().await;
        if received != expected {
            self.note([format!("{} policy: {received} instead of {expected}", self.section)]);
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
    async fn hear_out(&mut self) {
        let asked: Vec<bool> = self.clients.values_mut().map(Client::ask).collect();
        for (client, has_asked) in self.clients.values_mut().zip(asked) {
            client.hear_out(has_asked).await;
        }
    }

    async fn end_section(&mut self) {
        self.has_heard = false;
        self.synchronise().await;
        // What the server does when a time has come.
        let begin = Instant::now();
        while server::waits_for_time_limits(self.session) && self.lacks_games() && begin.elapsed() < PATIENCE
        {
            self.synchronise().await;
            // Whoever pings without a pause is read more slowly, and told so.
            sleep(PAUSE).await;
        }
        self.hear_out().await;
        self.compare().await;
        self.section += 1;
    }

    /// Whether a client has not heard of all games it should have heard of in this section.
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
            let place = format!("{} {name}", self.section);
            // It cannot send a ping, so that there is nothing to wait for but the end, if that is to come.
            if client.is_inside_message()
                && DIFFERENCES.has(self.session, &format!("{place}: unexpected the end"))
            {
                client.read_to_end().await;
            }
            let (expected, received) =
                (std::mem::take(&mut client.expected), std::mem::take(&mut client.received));
            findings.extend(compare::section(&place, expected, received));
        }
        self.note(findings);
    }

    async fn finish(mut self) -> BTreeSet<String> {
        if self.clients.values().any(|client| client.is_open) {
            self.synchronise().await;
            self.hear_out().await;
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

    /// Notes what differs; the same once more as another finding, unless it is an additional member.
    fn note(&mut self, findings: impl IntoIterator<Item = String>) {
        for finding in findings {
            if !self.findings.insert(finding.clone()) && !finding.ends_with("is additional") {
                let mut again = (2..).map(|count| format!("{finding} ({count})"));
                let next = again.find(|finding| !self.findings.contains(finding));
                self.findings.extend(next);
            }
        }
    }

    fn client(&mut self, name: &str) -> &mut Client {
        self.clients.get_mut(name).unwrap_or_else(|| panic!("{name} has not connected"))
    }
}
