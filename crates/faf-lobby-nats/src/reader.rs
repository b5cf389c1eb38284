//! Reads entries without a gap.
//!
//! A pull consumer delivers them. The requests for entries stand: when an entry is stored, the
//! server sends it at once, and while entries come, further ones are requested. So the number of
//! entries that are on their way is bounded, however slow the reader is.
//!
//! The consumer is not trusted: a reader knows which sequence number comes next, and begins again
//! with another consumer when something else comes, or nothing.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::RawMessageErrorKind;
use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;

use crate::connection::during;
use crate::link::{Link, poll_once};
use crate::log::{Log, LogError, LogState};
use crate::names::Name;

/// Most entries that are on their way to a reader.
const WINDOW: usize = 8192;

/// Most bytes of each of the requests for entries, of which there are about two.
const REQUEST_BYTES: usize = 16 << 20;

/// Time for which a request for entries stands.
const STANDS: Duration = Duration::from_secs(30);

/// Time between the signs of life of an idle consumer.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Time without a sign of life after which another consumer is created.
const SILENCE: Duration = Duration::from_secs(6);

/// Time after which the server removes a consumer that nobody reads from.
const INACTIVE: Duration = Duration::from_secs(30);

/// Pauses between attempts to create a consumer.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

/// An entry of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Sequence number; that of the entry before plus one.
    pub sequence: u64,
    /// Time at which NATS stored it, in nanoseconds since 1970, UTC. It may be before the time of
    /// an earlier entry, if a clock was set.
    pub time: u64,
    /// Lane in which it was appended; `None` for a message that somebody else has put there.
    pub lane: Option<Name>,
    /// Its content.
    pub payload: Bytes,
    /// Number of entries that were after it in the stream when it was sent.
    pub pending: u64,
}

/// Reason why a reader cannot go on. Failures of the connection are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The next entry is not kept any more.
    #[error("entry {wanted} is not kept any more; the first one is {first}")]
    Purged {
        /// Sequence number that comes next.
        wanted: u64,
        /// First sequence number that is kept.
        first: u64,
    },
    /// The stream lost entries that were read, as after a crash of the machine of NATS.
    #[error(
        "the stream ends with entry {last}, or has another one in place of entry {read}, which was read before"
    )]
    RolledBack {
        /// Sequence number of the entry that was read last.
        read: u64,
        /// Last sequence number of the stream.
        last: u64,
    },
    /// There is another stream of the same name.
    #[error("the stream {0} was removed and created again")]
    Replaced(String),
    /// There is no stream.
    #[error("NATS has no stream {0} any more")]
    NoStream(String),
    /// NATS refuses to send entries.
    #[error("NATS does not let the stream be read: {0}")]
    Refused(String),
    /// The connection was closed by this process.
    #[error("the connection to NATS is closed")]
    Closed,
}

/// Reads the entries of a [`Log`] one after the other.
#[derive(Debug)]
pub struct Reader {
    log: Log,
    /// The stream that is read.
    identity: u64,
    /// Sequence number of the next entry.
    next: u64,
    /// Time of the entry before the next one, if it is known.
    time: Option<u64>,
    source: Option<Source>,
    /// Number of consumers so far.
    consumers: u64,
}

/// A consumer and what it delivers.
#[derive(Debug)]
struct Source {
    link: Arc<Link>,
    /// End of the connection.
    over: watch::Receiver<bool>,
    subscriber: Subscriber,
    /// Subject for requests of entries.
    subject: String,
    inbox: String,
    /// Number of entries that are requested and were not delivered.
    requested: usize,
    max_bytes: usize,
    /// It has delivered an entry.
    has_delivered: bool,
}

/// A request for entries.
#[derive(Serialize)]
struct PullRequest {
    batch: usize,
    max_bytes: usize,
    /// In nanoseconds, as the next one.
    expires: u128,
    idle_heartbeat: u128,
}

/// The meaning of a message of a consumer.
enum Delivered {
    Entry(Entry),
    /// Nothing that a reader returns.
    Nothing,
    /// Another consumer is needed.
    End,
}

/// Reason why no consumer could be created.
enum Failure {
    Final(ReadError),
    /// Another attempt may succeed.
    Passing(String),
}

impl Log {
    /// Returns a reader that begins with a sequence number, of an entry that is kept or will come.
    /// It reads the stream with this identity, and no other one.
    #[must_use]
    pub fn read_from(&self, identity: u64, sequence: u64) -> Reader {
        Reader { log: self.clone(), identity, next: sequence.max(1), time: None, source: None, consumers: 0 }
    }

    /// Returns a reader that goes on after an entry, of which sequence number and time are known,
    /// for example from a snapshot. If the stream has another entry in its place, the reader says
    /// that it was [rolled back](ReadError::RolledBack).
    #[must_use]
    pub fn read_after(&self, identity: u64, sequence: u64, time: u64) -> Reader {
        Reader { time: Some(time), ..self.read_from(identity, sequence + 1) }
    }
}

impl Reader {
    /// Waits for the next entry, while the connection fails and comes back. May be cancelled and
    /// called again.
    ///
    /// # Errors
    /// If there is no next entry and never will be.
    pub async fn next(&mut self) -> Result<Entry, ReadError> {
        loop {
            if self.source.is_none() {
                self.source = Some(self.open().await?);
            }
            let source = self.source.as_mut().expect("it was opened");
            let received = tokio::select! {
                biased;
                received = timeout(SILENCE, source.subscriber.next()) => received.ok().flatten(),
                _ = source.over.wait_for(|over| *over) => None,
            };
            // It is silent, or the connection has ended.
            let Some(message) = received else {
                self.source = None;
                continue;
            };
            match self.receive(message)? {
                Delivered::Entry(entry) => {
                    (self.next, self.time) = (entry.sequence + 1, Some(entry.time));
                    return Ok(entry);
                }
                Delivered::Nothing => {}
                Delivered::End => self.source = None,
            }
        }
    }

    /// Sequence number of the entry that comes next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Number of consumers that were created so far: one, and another for each interruption.
    #[must_use]
    pub fn consumers(&self) -> u64 {
        self.consumers
    }

    fn receive(&mut self, message: Message) -> Result<Delivered, ReadError> {
        let source = self.source.as_mut().expect("it has delivered the message");
        let Some(status) = message.status else {
            let Some(place) = message.reply.as_ref().and_then(|reply| Place::read(reply)) else {
                return Ok(Delivered::Nothing);
            };
            source.requested = source.requested.saturating_sub(1);
            if place.sequence != self.next {
                // Nobody can remove single entries: the ones before it were purged. If the
                // consumer has delivered others before, messages were lost on their way.
                return if source.has_delivered || place.sequence < self.next {
                    Ok(Delivered::End)
                } else {
                    Err(ReadError::Purged { wanted: self.next, first: place.sequence })
                };
            }
            source.has_delivered = true;
            let lane = self.log.connection.shared().names.lane_of(&message.subject);
            if source.requested <= WINDOW / 2 && !source.request(WINDOW - source.requested, STANDS) {
                self.source = None;
            }
            let Place { sequence, time, pending } = place;
            return Ok(Delivered::Entry(Entry { sequence, time, lane, payload: message.payload, pending }));
        };
        let number = |name: &str| {
            let header = message.headers.as_ref().and_then(|headers| headers.get(name));
            header.and_then(|number| number.as_str().parse::<u64>().ok())
        };
        if status == StatusCode::IDLE_HEARTBEAT {
            // Everything that was delivered before it has come before it.
            let is_lost = number("Nats-Last-Stream").is_some_and(|last| last >= self.next);
            return Ok(if is_lost { Delivered::End } else { Delivered::Nothing });
        }
        // A request has ended before all its entries were delivered: by time, or by size.
        let rest = number("Nats-Pending-Messages").and_then(|rest| usize::try_from(rest).ok());
        let Some(rest) = rest else { return Ok(Delivered::End) };
        source.requested = source.requested.saturating_sub(rest);
        let is_requested = source.request(WINDOW.saturating_sub(source.requested), STANDS);
        Ok(if is_requested { Delivered::Nothing } else { Delivered::End })
    }

    /// Creates a consumer, as soon as there is a connection.
    async fn open(&mut self) -> Result<Source, ReadError> {
        let mut pause = PAUSES[0];
        let mut logged = None;
        loop {
            // Any connection, also the same one again.
            let shared = Arc::clone(self.log.connection.shared());
            let link = shared.next_link(0).await.ok_or(ReadError::Closed)?;
            match self.try_open(link).await {
                Ok(source) => return Ok(source),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(problem)) => {
                    if logged.as_ref() != Some(&problem) {
                        tracing::warn!(problem, "the stream of NATS cannot be read yet");
                    }
                    logged = Some(problem);
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES[1]);
        }
    }

    async fn try_open(&mut self, link: Arc<Link>) -> Result<Source, Failure> {
        self.check(&link).await?;
        let inbox = link.client.new_inbox();
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.next },
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let stream = link.jetstream.create_consumer_on_stream(config, &self.log.name);
        let subscribing = async {
            let subscriber = link.client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
            let consumer = stream.await.map_err(|error| error.to_string())?;
            Ok::<_, String>((subscriber, consumer.cached_info().name.clone()))
        };
        let ended = || Failure::Passing("the connection has ended".to_owned());
        let (subscriber, name) =
            during(&link, subscribing).await.ok_or_else(ended)?.map_err(Failure::Passing)?;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{name}", self.log.name);
        let max_bytes = REQUEST_BYTES.max(2 * link.client.max_payload());
        let over = link.over.subscribe();
        let mut source =
            Source { link, over, subscriber, subject, inbox, requested: 0, max_bytes, has_delivered: false };
        // They end one after the other, so that one always stands.
        if !source.request(WINDOW / 2, STANDS / 2) || !source.request(WINDOW / 2, STANDS) {
            return Err(ended());
        }
        self.consumers += 1;
        Ok(source)
    }

    /// Checks that the stream still is the one that was read.
    async fn check(&self, link: &Link) -> Result<(), Failure> {
        let info = self.log.info(link).await.map_err(|error| match error {
            LogError::NoStream(name) => Failure::Final(ReadError::NoStream(name)),
            LogError::Refused(problem) => Failure::Final(ReadError::Refused(problem)),
            other => Failure::Passing(other.to_string()),
        })?;
        let LogState { identity, first, last, .. } = LogState::of(&info);
        let read = self.next - 1;
        if identity != self.identity {
            return Err(Failure::Final(ReadError::Replaced(self.log.name.clone())));
        }
        if last < read {
            return Err(Failure::Final(ReadError::RolledBack { read, last }));
        }
        if first > self.next {
            return Err(Failure::Final(ReadError::Purged { wanted: self.next, first }));
        }
        let Some(time) = self.time.filter(|_| first <= read) else { return Ok(()) };
        // Others may have been appended since it was rolled back.
        let got = during(link, async {
            let stream =
                link.jetstream.get_stream_no_info(&self.log.name).await.map_err(|error| error.to_string())?;
            match stream.get_raw_message(read).await {
                Ok(message) => Ok(u64::try_from(message.time.unix_timestamp_nanos()).ok()),
                // It was purged in the meantime.
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(Some(time)),
                Err(error) => Err(error.to_string()),
            }
        });
        let found = got.await.unwrap_or_else(|| Err("the connection has ended".to_owned()));
        if found.map_err(Failure::Passing)? == Some(time) {
            Ok(())
        } else {
            Err(Failure::Final(ReadError::RolledBack { read, last }))
        }
    }
}

impl Source {
    /// Requests further entries. Returns whether the request is on its way.
    fn request(&mut self, batch: usize, stands: Duration) -> bool {
        if batch == 0 {
            return true;
        }
        let request = PullRequest {
            batch,
            max_bytes: self.max_bytes,
            expires: stands.as_nanos(),
            idle_heartbeat: HEARTBEAT.as_nanos(),
        };
        let body = serde_json::to_vec(&request).expect("numbers can be written");
        let sending =
            self.link.client.publish_with_reply(self.subject.clone(), self.inbox.clone(), body.into());
        let is_sent = matches!(poll_once(&mut pin!(sending)), Poll::Ready(Ok(())));
        if is_sent {
            self.requested += batch;
        }
        is_sent
    }
}

/// Place of an entry in the stream, from the subject for its acknowledgement.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    sequence: u64,
    time: u64,
    pending: u64,
}

impl Place {
    /// Reads `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<delivered>.<time>.<pending>`, or
    /// the form of later servers with domain and account before the stream, and a further part.
    fn read(reply: &str) -> Option<Self> {
        let parts: Vec<_> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        let begin = match parts.len() {
            7 => 2,
            9.. => 4,
            _ => return None,
        };
        let number = |index: usize| parts.get(begin + index)?.parse().ok();
        Some(Self { sequence: number(1)?, time: number(3)?, pending: number(4)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_read_in_both_forms() {
        let place = Some(Place { sequence: 22, time: 1_700_000_000_000_000_000, pending: 5 });
        assert_eq!(Place::read("$JS.ACK.STREAM.consumer.1.22.3.1700000000000000000.5"), place);
        assert_eq!(Place::read("$JS.ACK.hub.ACC.STREAM.consumer.1.22.3.1700000000000000000.5.x"), place);
        for bad in ["", "$JS.ACK.S.c.1.22.3.4", "$JS.ACK.S.c.1.x.3.4.5", "_INBOX.1"] {
            assert_eq!(Place::read(bad), None, "{bad}");
        }
    }
}
