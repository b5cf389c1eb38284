//! Goes through the records of a session: does what the clients did, and notes the messages that
//! they should receive.

mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use faf_protocol::WireFormat;
use faf_sessions::compare::{self, Comparison, Finding, Heard, broker};
use faf_sessions::transcript::{Connect, Http, Record, Sent, Transcript};
use serde_json::Value;

use crate::client::Client;
use crate::games::Games;
use crate::needs::{self, Circumstances};
use crate::server::{HookError, Offers, ServerUnderTest};

use waiting::Pace;

/// How to replay.
#[derive(Debug, Clone)]
pub struct Options {
    /// Wire format of all clients; default the recorded ones. Use it only for sessions that
    /// [suit any format](needs::suits_any_format).
    pub format: Option<WireFormat>,
    /// Time without a message after which everything has arrived, from a server that cannot say
    /// that it has [settled](ServerUnderTest::settle); default 1.25 seconds, as in the recording.
    pub quiet: Duration,
    /// Time by which such a server may do something later than the recorded one; default 2 seconds.
    pub tolerance: Duration,
    /// Time limit for everything that must happen, or the replay stops; default a minute.
    pub time_limit: Duration,
    /// Whether games may have other ids than the recorded ones; default no. A server that is
    /// started with the seed gives the recorded ones.
    pub renames_games: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            quiet: Duration::from_millis(1250),
            tolerance: Duration::from_secs(2),
            time_limit: Duration::from_secs(60),
            renames_games: false,
        }
    }
}

/// The outcome of a replay.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// Differences from the recording.
    pub findings: Vec<Finding>,
    /// Why the replay did not reach the end of the session; nothing after that was compared.
    pub stopped: Option<Stopped>,
}

/// Reason why a session could not be replayed to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Stopped(String);

impl Stopped {
    pub(crate) fn new(reason: String) -> Self {
        Self(reason)
    }
}

impl From<HookError> for Stopped {
    fn from(error: HookError) -> Self {
        Self(error.to_string())
    }
}

/// Replays a session on a server that was started for it.
///
/// On a server that can say that it has settled, nothing waits longer than necessary. On any other,
/// clients keep the recorded pace: nobody sends anything sooner after the last barrier than they
/// did in the recording.
pub async fn replay<S: ServerUnderTest>(
    transcript: &Transcript,
    server: &mut S,
    options: &Options,
) -> Replayed {
    let offers = server.offers();
    let mut replay = Replay {
        pace: Pace::new(&offers),
        offers,
        server,
        options,
        circumstances: Circumstances::of(transcript),
        clients: BTreeMap::new(),
        numbers: HashMap::new(),
        has_heard: false,
        expected_publications: Vec::new(),
        games: Games::default(),
        comparison: Comparison::default(),
    };
    let stopped = replay.run(transcript).await.err();
    Replayed { findings: replay.comparison.into_findings(), stopped }
}

struct Replay<'a, S> {
    server: &'a mut S,
    offers: Offers,
    options: &'a Options,
    circumstances: Circumstances,
    pace: Pace,
    clients: BTreeMap<String, Client>,
    /// Clients by their session numbers in the recording.
    numbers: HashMap<u64, String>,
    /// Whether the last record about a connection was a message to a client.
    has_heard: bool,
    /// Publications that are expected in this section.
    expected_publications: Vec<Value>,
    games: Games,
    comparison: Comparison,
}

impl<S: ServerUnderTest> Replay<'_, S> {
    async fn run(&mut self, transcript: &Transcript) -> Result<(), Stopped> {
        for (record, time) in transcript.records.iter().zip(&transcript.times) {
            self.pace.now = *time;
            match record {
                // The recording took long enough for the server to ping; the replay does not wait
                // for that.
                Record::Receive(_, message)
                    if message["command"] == "ping" && !self.circumstances.is_pinged => {}
                record => self.handle(record.clone()).await?,
            }
        }
        self.finish().await
    }

    async fn handle(&mut self, record: Record) -> Result<(), Stopped> {
        match record {
            Record::Barrier => self.end_section().await,
            Record::Step(step) => self.act(&step).await,
            Record::Connect(connect) => self.connect(connect).await,
            Record::Send(conn, sent) => self.send(&conn, sent).await,
            Record::Receive(conn, message) => self.expect(&conn, message),
            Record::ClosedByServer(conn) => self.expect_end(&conn).await,
            Record::ClosedByClient(conn) => self.leave(&conn).await,
            Record::Http(request) if self.offers.pages => self.ask(request).await,
            Record::Metrics if self.offers.pages => self.read_metrics().await,
            Record::Database(recorded) if self.offers.rows => {
                self.synchronise().await?;
                let rows = self.server.rows().await?;
                self.comparison.database(&recorded, &rows.before, &rows.now);
                Ok(())
            }
            Record::Publication(publication) => {
                self.expected_publications.push((&publication).into());
                Ok(())
            }
            Record::PolicyRequest(request) if self.offers.policy_service => {
                self.compare_policy_request(request).await
            }
            // The server has the keys from the beginning. Records that need a hook which it lacks
            // are not compared.
            Record::Keys(_)
            | Record::Http(_)
            | Record::Metrics
            | Record::Database(_)
            | Record::PolicyRequest(_) => Ok(()),
        }
    }

    async fn act(&mut self, step: &str) -> Result<(), Stopped> {
        if step.contains(needs::SIGNAL) {
            self.server.signal().await?;
        } else if step.contains(needs::SERVICE_GONE) && self.offers.policy_service {
            self.server.stop_policy_service().await?;
        }
        Ok(())
    }

    async fn connect(&mut self, mut connect: Connect) -> Result<(), Stopped> {
        self.keep_pace().await?;
        connect.format = self.options.format.unwrap_or(connect.format);
        let url = self.server.url(&connect).ok_or_else(|| {
            let format = connect.format.properties().name;
            Stopped::new(format!("the server has no listener for {format} that {} can use", connect.conn))
        })?;
        let Connect { conn, source, .. } = connect;
        let client = Client::connect(&conn, &url, source.as_deref(), self.options.time_limit).await?;
        self.clients.insert(conn, client);
        Ok(())
    }

    async fn send(&mut self, conn: &str, sent: Sent) -> Result<(), Stopped> {
        // Parties must enter a queue in the recorded order, whatever the ways of their messages.
        let is_search = matches!(&sent, Sent::Message(message)
            if message.command().as_deref() == Some("game_matchmaking"));
        if std::mem::take(&mut self.has_heard) || is_search {
            self.receive_expected().await?;
        }
        self.keep_pace().await?;
        let sent = match sent {
            Sent::Message(message) if self.options.renames_games => {
                self.learn_games();
                Sent::Message(self.games.own(&message))
            }
            sent => sent,
        };
        self.client(conn)?.send(sent)
    }

    fn expect(&mut self, conn: &str, message: Value) -> Result<(), Stopped> {
        self.has_heard = true;
        if let Some(number) = message["session"].as_u64() {
            self.numbers.insert(number, conn.to_owned());
        }
        self.client(conn)?.expect(message);
        Ok(())
    }

    async fn expect_end(&mut self, conn: &str) -> Result<(), Stopped> {
        if self.circumstances.logins_time_out {
            self.client(conn)?.read_to_end().await?;
        }
        self.receive_end(conn).await?;
        let client = self.client(conn)?;
        client.expect(compare::end());
        if client.is_open {
            // The difference will be reported, but later records of the session rely on the end.
            client.close().await?;
        }
        Ok(())
    }

    async fn leave(&mut self, conn: &str) -> Result<(), Stopped> {
        self.receive_expected().await?;
        self.keep_pace().await?;
        let client = self.client(conn)?;
        client.has_left = true;
        client.close().await
    }

    async fn ask(&mut self, expected: Http) -> Result<(), Stopped> {
        self.synchronise().await?;
        let mut received = self.server.page(&expected.path).await?;
        self.games.recorded(&mut received.body);
        self.comparison.page(&expected, &received);
        Ok(())
    }

    async fn read_metrics(&mut self) -> Result<(), Stopped> {
        let page = self.server.page("/metrics").await?;
        let text = page.body.as_str().unwrap_or_default();
        if page.status != 200 || !text.starts_with("# HELP") {
            self.comparison.note(None, format!("/metrics: {} instead of metrics", page.status));
        }
        Ok(())
    }

    async fn compare_policy_request(&mut self, mut expected: Value) -> Result<(), Stopped> {
        self.synchronise().await?;
        let number = expected["session"].as_u64();
        let client = number.and_then(|number| self.clients.get(self.numbers.get(&number)?));
        expected["session"] = client.and_then(|client| client.session).into();
        let received = self.server.policy_request().await?;
        self.comparison.policy_request(&expected, &received);
        Ok(())
    }

    async fn end_section(&mut self) -> Result<(), Stopped> {
        self.has_heard = false;
        self.receive_all().await?;
        self.compare().await?;
        self.comparison.end_section();
        self.pace.start_again();
        Ok(())
    }

    async fn compare(&mut self) -> Result<(), Stopped> {
        if self.options.renames_games {
            self.learn_games();
        }
        for (name, client) in &mut self.clients {
            // The server would not read anything else from this client, and will close
            // the connection.
            if client.has_announced_too_much() && self.offers.settles {
                client.read_to_end().await?;
            }
            let (expected, mut received) =
                (std::mem::take(&mut client.expected), std::mem::take(&mut client.received));
            client.expected_queues.take(&expected);
            received.iter_mut().for_each(|message| self.games.recorded(message));
            let (has_asked_for_queues, has_left) = (client.has_asked_for_queues, client.has_left);
            self.comparison.client(name, Heard { expected, received, has_asked_for_queues, has_left });
        }
        let expected = std::mem::take(&mut self.expected_publications);
        if self.offers.publications {
            let mut published = self.server.publications()?;
            published.iter_mut().for_each(|record| self.games.recorded(record));
            self.comparison.publications(expected, published);
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Stopped> {
        if self.clients.values().any(|client| client.is_open) {
            self.receive_rest().await?;
        }
        self.compare().await?;
        for (name, client) in &self.clients {
            if self.circumstances.is_pinged && client.lacks_every_ping() {
                self.comparison.note(Some(name), "missing ping".to_owned());
            }
        }
        for client in self.clients.values_mut().filter(|client| client.is_open) {
            client.close().await?;
        }
        Ok(())
    }

    fn learn_games(&mut self) {
        for client in self.clients.values() {
            self.games.learn(&client.expected, &client.received);
        }
    }

    fn client(&mut self, name: &str) -> Result<&mut Client, Stopped> {
        let client = self.clients.get_mut(name);
        client.ok_or_else(|| Stopped::new(format!("{name} has not connected in the session")))
    }
}

/// Returns a publication in the form that is compared, from its parts.
///
/// # Errors
/// If the body is not JSON.
pub fn publication(routing_key: &str, is_persistent: bool, body: &str) -> Result<Value, HookError> {
    let body: Value = serde_json::from_str(body)
        .map_err(|error| HookError::new(format!("a publication that is not JSON: {error}")))?;
    Ok(broker::record(routing_key, if is_persistent { 2 } else { 1 }, &body))
}
