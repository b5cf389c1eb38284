//! A client that sends the recorded messages and keeps those that it receives.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use faf_client::{Connector, Url};
use faf_connection::{Error, Reader, Writer};
use faf_protocol::{Limits, Message, WireFormat};
use faf_sessions::compare;
use faf_sessions::compare::queues::{Queues, show_round};
use faf_sessions::transcript::Sent;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::replay::Stopped;

/// Maximum number of messages that a client keeps between two barriers. The longest recorded
/// section has some hundred.
const KEPT: usize = 10_000;

/// Port that is announced in PROXY headers.
const SOURCE_PORT: u16 = 50_000;

#[derive(Debug)]
pub(crate) struct Client {
    name: String,
    reader: Reader,
    writer: Writer,
    time_limit: Duration,
    pub(crate) is_open: bool,
    /// Whether the session has closed the connection.
    pub(crate) has_left: bool,
    /// Whether the client has received `welcome`.
    is_logged_in: bool,
    /// Number of messages received before it [asked](Self::ask).
    asked_at: usize,
    /// Bytes of an incomplete message.
    unfinished: Vec<u8>,
    /// Messages received in this section.
    pub(crate) received: Vec<Value>,
    /// Messages expected in this section.
    pub(crate) expected: Vec<Value>,
    /// Queues as they were expected until the last section.
    pub(crate) expected_queues: Queues,
    /// Whether the session has asked for the queues.
    pub(crate) has_asked_for_queues: bool,
    /// First session number from the server.
    pub(crate) session: Option<u64>,
    /// Pings and pongs from the server so far, without the answers to pings of
    /// [`catch_up`](Self::catch_up).
    heartbeats: Heartbeats,
    expected_heartbeats: Heartbeats,
}

#[derive(Debug, Default)]
struct Heartbeats {
    pings: usize,
    pongs: usize,
}

impl Client {
    /// Connects, and announces `source` in a PROXY header, if there is one.
    pub(crate) async fn connect(
        name: &str,
        url: &Url,
        source: Option<&str>,
        time_limit: Duration,
    ) -> Result<Self, Stopped> {
        let source = source.map(str::parse::<IpAddr>).transpose();
        let source = source.map_err(|error| Stopped::new(format!("{name}: {error} in the session")))?;
        let connector = Connector {
            timeout: time_limit,
            proxied: source.map(|source| SocketAddr::new(source, SOURCE_PORT)),
            // A client sends the recorded messages, whatever their size.
            outbox_limit: usize::MAX,
            ..Connector::default()
        };
        let client = connector.connect(url).await;
        let client =
            client.map_err(|error| Stopped::new(format!("{name} cannot connect to {url}: {error}")))?;
        let (reader, writer) = client.into_connection();
        Ok(Self {
            name: name.to_owned(),
            reader,
            writer,
            time_limit,
            is_open: true,
            has_left: false,
            is_logged_in: false,
            asked_at: 0,
            unfinished: Vec::new(),
            received: Vec::new(),
            expected: Vec::new(),
            expected_queues: Queues::default(),
            has_asked_for_queues: false,
            session: None,
            heartbeats: Heartbeats::default(),
            expected_heartbeats: Heartbeats::default(),
        })
    }

    /// Sends a message. Does nothing if the connection has ended.
    pub(crate) fn send(&mut self, sent: Sent) -> Result<(), Stopped> {
        let written = match sent {
            Sent::Message(message) => {
                self.has_asked_for_queues |= message.command().as_deref() == Some("matchmaker_info");
                self.writer.write(&message)
            }
            Sent::Raw(bytes) => {
                self.unfinished.extend(&bytes);
                self.forget_finished();
                self.writer.write_raw(bytes.into(), 1)
            }
        };
        match written {
            Err(error) if self.is_open && !matches!(error, Error::Disconnected(_)) => {
                Err(Stopped::new(format!("{} cannot send a message: {error}", self.name)))
            }
            _ => Ok(()),
        }
    }

    /// Notes a message that should be received.
    pub(crate) fn expect(&mut self, message: Value) {
        match message["command"].as_str() {
            Some("ping") => self.expected_heartbeats.pings += 1,
            Some("pong") => {
                self.expected_heartbeats.pongs += 1;
                self.expected.push(message);
            }
            _ => self.expected.push(message),
        }
    }

    /// Returns whether the client has not received all matches, and all ends of matches, that it
    /// should have received in this section.
    pub(crate) fn lacks_matches(&self) -> bool {
        self.is_open && ["match_found", "match_cancelled"].into_iter().any(|command| self.lacks(command))
    }

    fn lacks(&self, command: &str) -> bool {
        let count =
            |messages: &[Value]| messages.iter().filter(|message| message["command"] == command).count();
        count(&self.received) < count(&self.expected)
    }

    /// Returns whether the client has not received as many messages of each kind as it should have
    /// received in this section, or not about all games and players.
    pub(crate) fn lacks_anything(&self) -> bool {
        let is_direct = |command: &&str| !matches!(*command, "player_info" | "game_info" | "matchmaker_info");
        let commands = self.expected.iter().filter_map(|message| message["command"].as_str());
        self.is_open
            && (commands.filter(is_direct).any(|command| self.lacks(command))
                || self.heartbeats.pings < self.expected_heartbeats.pings
                || !compare::is_about_all(&self.expected, &self.received))
    }

    /// Returns whether the client has not received in this section that there was a round of each
    /// queue in which players should be waiting after it.
    pub(crate) fn lacks_rounds(&self) -> bool {
        let mut queues = self.expected_queues.clone();
        queues.take(&self.expected);
        self.is_open && queues.waiting().any(|queue| !show_round(&self.received, queue))
    }

    /// Returns whether the last message that the client has sent is incomplete.
    pub(crate) fn is_inside_message(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// Returns whether the client has begun to send a message that is longer than the limit.
    pub(crate) fn has_announced_too_much(&self) -> bool {
        let announced = self.unfinished.first_chunk().map(|length| u32::from_be_bytes(*length) as usize);
        self.writer.format() == WireFormat::QDataStream
            && announced.is_some_and(|length| length > Limits::default().message)
    }

    /// Returns whether the server should have pinged the client, and never has.
    pub(crate) fn lacks_every_ping(&self) -> bool {
        self.heartbeats.pings == 0 && self.expected_heartbeats.pings > 0
    }

    /// Begins to [`catch_up`](Self::catch_up): pings the server, if that is possible.
    pub(crate) fn ping(&mut self) -> Result<bool, Stopped> {
        let can_ping = self.is_open && !self.is_inside_message();
        if can_ping {
            self.send(Sent::Message(Message::PING))?;
        }
        Ok(can_ping)
    }

    /// Reads until the server has answered everything so far: the expected pings and pongs have
    /// arrived, followed by the answer to the client's own ping.
    pub(crate) async fn catch_up(&mut self, has_pinged: bool) -> Result<(), Stopped> {
        let pongs = self.expected_heartbeats.pongs + usize::from(has_pinged);
        let pings = self.expected_heartbeats.pings;
        while self.is_open && (self.heartbeats.pongs < pongs || self.heartbeats.pings < pings) {
            self.read().await?;
        }
        // The last one, because answers come in the order of the pings.
        let own = self.received.iter().rposition(|message| message["command"] == "pong");
        if let Some(own) = own.filter(|_| self.is_open && has_pinged) {
            self.received.remove(own);
            self.heartbeats.pongs -= 1;
        }
        Ok(())
    }

    /// Begins to [`receive_broadcasts`](Self::receive_broadcasts): asks for the ICE servers, if
    /// that is possible. The client must have caught up.
    pub(crate) fn ask(&mut self) -> Result<bool, Stopped> {
        let can_ask = self.is_logged_in && self.is_open && !self.is_inside_message();
        if can_ask {
            self.send(Sent::Message(Message::new("ice_servers")))?;
            self.asked_at = self.received.len();
        }
        Ok(can_ask)
    }

    /// Reads until all broadcasts so far have arrived. A pong overtakes broadcasts; the answer to
    /// [`ask`](Self::ask) overtakes nothing.
    pub(crate) async fn receive_broadcasts(&mut self, has_asked: bool) -> Result<(), Stopped> {
        // The session's own requests have been answered, as pongs overtake no answers.
        while has_asked && self.is_open {
            let later = &self.received[self.asked_at..];
            if let Some(own) = later.iter().position(|message| message["command"] == "ice_servers") {
                self.received.remove(self.asked_at + own);
                return Ok(());
            }
            self.read().await?;
        }
        Ok(())
    }

    /// Reads until the server closes the connection, or the time limit is over.
    pub(crate) async fn read_to_end(&mut self) -> Result<(), Stopped> {
        let time_limit = self.time_limit;
        let ended = async {
            while self.is_open {
                self.read().await?;
            }
            Ok(())
        };
        timeout(time_limit, ended).await.unwrap_or(Ok(()))
    }

    /// Reads the messages that the client has not waited for.
    pub(crate) async fn read_rest(&mut self) -> Result<(), Stopped> {
        if !self.is_open || self.is_inside_message() {
            return Ok(());
        }
        // Unlike a pong, this answer cannot be mistaken for one to a message of the session, as
        // those have been answered.
        let mark = self.received.len();
        let mut ask = Message::new("ask_session");
        let named = ask.set("user_agent", "downlords-faf-client");
        named.map_err(|error| Stopped::new(error.to_string()))?;
        self.send(Sent::Message(ask))?;
        let is_answer = |message: &Value| message["command"] == "session";
        while self.is_open && !self.received[mark..].iter().any(is_answer) {
            self.read().await?;
        }
        if self.received.last().is_some_and(is_answer) {
            self.received.pop();
        }
        if self.expected_heartbeats.pings == 0 && self.heartbeats.pings > 0 {
            self.received.push(json!({"command": "ping"}));
        }
        Ok(())
    }

    /// Closes the connection, and waits until the server has noticed it.
    pub(crate) async fn close(&mut self) -> Result<(), Stopped> {
        self.is_open = false;
        self.writer.close().await;
        let ended = async { while self.reader.read().await.is_ok() {} };
        let ended = timeout(self.time_limit, ended).await;
        ended.map_err(|_| Stopped::new(format!("the server does not end the connection of {}", self.name)))
    }

    /// Reads the next message, or the end of the connection.
    async fn read(&mut self) -> Result<(), Stopped> {
        match timeout(self.time_limit, self.reader.read()).await {
            Ok(read) => self.take(read),
            Err(_) => Err(Stopped::new(format!(
                "{} waits for more than {}, of which came {}",
                self.name,
                Value::from(self.expected.clone()),
                Value::from(self.received.clone()),
            ))),
        }
    }

    /// Waits for a message, however long. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Message, Error> {
        self.reader.read().await
    }

    /// Keeps a message, or notes the end of the connection.
    pub(crate) fn take(&mut self, read: Result<Message, Error>) -> Result<(), Stopped> {
        let end = |client: &mut Self| {
            client.is_open = false;
            // Clients do so, and the server waits for it.
            client.writer.start_close();
        };
        match read {
            Ok(message) => match serde_json::from_str(message.as_str()) {
                Ok(message) => self.keep(message),
                Err(error) => self.received.push(not_a_message(&error)),
            },
            Err(Error::Disconnected(_)) => {
                end(self);
                self.received.push(compare::end());
            }
            Err(error) => {
                end(self);
                self.received.push(not_a_message(&error));
            }
        }
        match self.received.len() {
            0..=KEPT => Ok(()),
            _ => Err(Stopped::new(format!("{} receives more than {KEPT} messages", self.name))),
        }
    }

    fn keep(&mut self, message: Value) {
        match message["command"].as_str() {
            Some("ping") if compare::is_ping(&message) => return self.heartbeats.pings += 1,
            Some("pong") => self.heartbeats.pongs += 1,
            Some("welcome") => self.is_logged_in = true,
            Some("session") => self.session = self.session.or(message["session"].as_u64()),
            _ => {}
        }
        self.received.push(message);
    }

    /// Removes the complete messages.
    fn forget_finished(&mut self) {
        let bytes = &self.unfinished;
        let mut end = 0;
        if self.writer.format() == WireFormat::SimpleJson {
            end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |position| position + 1);
        } else {
            while let Some((length, rest)) = bytes[end..].split_first_chunk() {
                let length = u32::from_be_bytes(*length) as usize;
                if rest.len() < length {
                    break;
                }
                end += 4 + length;
            }
        }
        self.unfinished.drain(..end);
    }
}

/// A pseudo-message for bytes of the server that are no message.
fn not_a_message(error: &dyn std::fmt::Display) -> Value {
    json!({"command": "bytes that are no message", "error": error.to_string()})
}
