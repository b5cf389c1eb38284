//! A client that sends the recorded messages and keeps those that it receives.

use std::net::SocketAddr;
use std::time::Duration;

use faf_client::{Connector, Url};
use faf_connection::{Error, Reader, Writer};
use faf_protocol::{Limits, Message, WireFormat};
use faf_sessions::transcript::Sent;
use serde_json::{Value, json};
use tokio::time::timeout;

use faf_sessions::compare;
use faf_sessions::compare::queues::{Queues, show_round};

/// Time within which an expected event must happen, or the test fails.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Client {
    name: String,
    reader: Reader,
    writer: Writer,
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
    /// Queues as they were received and expected until the last section.
    pub(crate) received_queues: Queues,
    pub(crate) expected_queues: Queues,
    /// Whether the session has asked for the queues.
    pub(crate) has_asked_for_queues: bool,
    /// Session number from the server.
    pub(crate) session: Option<u64>,
    /// Pings and pongs from the server so far, without the answers to pings
    /// of [`catch_up`](Self::catch_up).
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
        address: SocketAddr,
        format: WireFormat,
        source: Option<&str>,
    ) -> Self {
        let connector = Connector {
            timeout: TIME_LIMIT,
            proxied: source.map(|source| SocketAddr::new(source.parse().unwrap(), 50_000)),
            // A client sends the recorded messages, whatever their size.
            outbox_limit: usize::MAX,
            ..Connector::default()
        };
        let client = connector.connect(&Url::new(format, address)).await.unwrap();
        let (reader, writer) = client.into_connection();
        Self {
            name: name.to_owned(),
            reader,
            writer,
            is_open: true,
            has_left: false,
            is_logged_in: false,
            asked_at: 0,
            unfinished: Vec::new(),
            received: Vec::new(),
            expected: Vec::new(),
            received_queues: Queues::default(),
            expected_queues: Queues::default(),
            has_asked_for_queues: false,
            session: None,
            heartbeats: Heartbeats::default(),
            expected_heartbeats: Heartbeats::default(),
        }
    }

    /// Sends a message. Does nothing if the connection has ended.
    pub(crate) fn send(&mut self, sent: Sent) {
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
        if self.is_open && !matches!(written, Err(Error::Disconnected(_))) {
            written.unwrap();
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
        let count = |messages: &[Value], command: &str| {
            messages.iter().filter(|message| message["command"] == command).count()
        };
        let is_lacking = |command| count(&self.received, command) < count(&self.expected, command);
        self.is_open && ["match_found", "match_cancelled"].into_iter().any(is_lacking)
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

    /// Begins to [`catch_up`](Self::catch_up): pings the server, if that is possible.
    pub(crate) fn ping(&mut self) -> bool {
        let can_ping = self.is_open && !self.is_inside_message();
        if can_ping {
            self.send(Sent::Message(Message::PING));
        }
        can_ping
    }

    /// Reads until the server has answered everything so far: the expected pings and pongs have
    /// arrived, followed by the answer to the client's own ping.
    pub(crate) async fn catch_up(&mut self, has_pinged: bool) {
        let pongs = self.expected_heartbeats.pongs + usize::from(has_pinged);
        let pings = self.expected_heartbeats.pings;
        while self.is_open && (self.heartbeats.pongs < pongs || self.heartbeats.pings < pings) {
            self.read().await;
        }
        if self.is_open && has_pinged {
            // The last one, because answers come in the order of the pings.
            let own = self.received.iter().rposition(|message| message["command"] == "pong").unwrap();
            self.received.remove(own);
            self.heartbeats.pongs -= 1;
        }
    }

    /// Begins to [`receive_broadcasts`](Self::receive_broadcasts): asks for the ICE servers, if
    /// that is possible. The client must have caught up.
    pub(crate) fn ask(&mut self) -> bool {
        let can_ask = self.is_logged_in && self.is_open && !self.is_inside_message();
        if can_ask {
            self.send(Sent::Message(r#"{"command":"ice_servers"}"#.parse().unwrap()));
            self.asked_at = self.received.len();
        }
        can_ask
    }

    /// Reads until all broadcasts so far have arrived. A pong overtakes broadcasts; the answer to
    /// [`ask`](Self::ask) overtakes nothing.
    pub(crate) async fn receive_broadcasts(&mut self, has_asked: bool) {
        // The session's own requests have been answered, as pongs overtake no answers.
        while has_asked && self.is_open {
            let later = &self.received[self.asked_at..];
            if let Some(own) = later.iter().position(|message| message["command"] == "ice_servers") {
                self.received.remove(self.asked_at + own);
                return;
            }
            self.read().await;
        }
    }

    /// Reads until the server closes the connection.
    pub(crate) async fn read_to_end(&mut self) {
        while self.is_open {
            self.read().await;
        }
    }

    /// Reads the messages that the client has not waited for.
    pub(crate) async fn read_rest(&mut self) {
        if !self.is_open || self.is_inside_message() {
            return;
        }
        // Unlike a pong, this answer cannot be mistaken for one to a message of the session, as
        // those have been answered.
        let mark = self.received.len();
        self.send(Sent::Message(
            r#"{"command":"ask_session","user_agent":"downlords-faf-client"}"#.parse().unwrap(),
        ));
        while self.is_open && !self.received[mark..].iter().any(|message| message["command"] == "session") {
            self.read().await;
        }
        self.received.pop();
        if self.expected_heartbeats.pings == 0 && self.heartbeats.pings > 0 {
            self.received.push(json!({"command": "ping"}));
        }
    }

    /// Closes the connection, and waits until the server has noticed it.
    pub(crate) async fn close(&mut self) {
        self.is_open = false;
        self.writer.close().await;
        let ended = async { while self.reader.read().await.is_ok() {} };
        timeout(TIME_LIMIT, ended).await.unwrap_or_else(|_| panic!("{} does not end", self.name));
    }

    async fn read(&mut self) {
        let read = timeout(TIME_LIMIT, self.reader.read()).await;
        let read = read.unwrap_or_else(|_| {
            panic!("{} waits for more than {:?}, of which came {:?}", self.name, self.expected, self.received)
        });
        let message = match read {
            Ok(message) => serde_json::from_str(message.as_str()).unwrap(),
            Err(Error::Disconnected(_)) => {
                self.is_open = false;
                // Clients do so, and the server waits for it.
                self.writer.start_close();
                compare::end()
            }
            Err(error) => panic!("{}: {error}", self.name),
        };
        self.take(message);
    }

    fn take(&mut self, mut message: Value) {
        match message["command"].as_str() {
            Some("ping") => return self.heartbeats.pings += 1,
            Some("pong") => self.heartbeats.pongs += 1,
            Some("welcome") => self.is_logged_in = true,
            Some("session") => {
                let number = message["session"].as_u64().filter(|number| *number <= u64::from(u32::MAX));
                if number.is_none() || self.session.is_some_and(|before| number != Some(before)) {
                    message["session"] = "no session number, or another one".into();
                }
                self.session = self.session.or(number);
            }
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
