//! Messages of the stream: everything that the replicas are told, in the one order that all of them
//! read.

use std::collections::BTreeMap;

use faf_lobby_core::Event;
use serde::{Deserialize, Serialize};

use crate::ids::{CoreName, Epoch, GatewayId, Nonce, WorldId};

/// Version of the messages. A replica ignores those of another version, and counts them.
pub const FORMAT: u32 = 1;

/// Most bytes of the events in one batch of a gateway, unless a single event is larger: 128 KiB.
pub(crate) const BATCH_BYTES: usize = 128 * 1024;

/// A message of the stream. `E` is an event: a gateway has them as text when it appends them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum StreamMessage<E = Event> {
    /// A gateway asks for a number. It asks again with the same nonce until it has one.
    Join {
        /// Recognises the gateway.
        nonce: Nonce,
        /// Name for people.
        name: String,
    },
    /// Inputs of a gateway's connections. Without events it is a sign of life.
    Gateway {
        /// The gateway.
        gateway: GatewayId,
        /// Number of the batch, from 1.
        number: u64,
        /// Number of the next effect that the gateway waits for: it has all before.
        expects: u64,
        /// [`Event::Connected`], [`Event::Received`], [`Event::Heard`] and
        /// [`Event::Disconnected`] of its connections.
        events: Vec<E>,
        /// Whether this is its last batch.
        leaves: bool,
    },
    /// A core begins a world, or has stored its beginning. Of several worlds that begin at the same
    /// time, the first one that is stored is that of the cluster.
    Begin {
        /// The world.
        world: WorldId,
        /// Whether there is a snapshot of its beginning.
        is_stored: bool,
    },
    /// A core wants to lead. It does if the epoch is the next one, so the first of several does,
    /// and if the leader has given no sign since: so a message that was long on its way takes the
    /// leadership from nobody.
    Lead {
        /// The core.
        core: CoreName,
        /// Version of its program.
        version: String,
        /// The epoch.
        epoch: Epoch,
        /// The last message that the core had applied.
        after: u64,
    },
    /// A core that does not lead reports where it stands.
    Follow {
        /// The core.
        core: CoreName,
        /// Version of its program.
        version: String,
        /// The last message that it has applied.
        position: u64,
        /// Number of the report, from 1.
        number: u64,
    },
    /// Inputs of the leader.
    Core {
        /// Its epoch; the batch is ignored if another one has begun.
        epoch: Epoch,
        /// Number of the batch in this epoch, from 1.
        number: u64,
        /// The inputs. Without any it is a sign of life, and moves the clock.
        inputs: Vec<CoreInput>,
    },
}

/// An input of the leader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum CoreInput {
    /// A reply to a request of the world, or an event from outside: an order of an operator, a
    /// message of another service.
    Event(Event),
    /// The state of the leader had these hashes after it had applied the message `position`.
    State {
        /// Sequence number of that message.
        position: u64,
        /// Hashes of the parts of the state by their names.
        parts: BTreeMap<String, String>,
    },
    /// The leader gives the leadership up. This core may lead next, or any if it is `None`.
    HandOver {
        /// The next leader.
        to: Option<CoreName>,
    },
}

/// The reason a message of the stream is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ignored {
    /// It cannot be read.
    Unreadable,
    /// It is of another version of the format.
    OtherFormat,
    /// It is from a gateway that is not known: it never joined, or was given up.
    UnknownGateway,
    /// An event is not one that this gateway may send: of another gateway's connection, say.
    NotItsOwn,
    /// It was taken before.
    Repeated,
    /// It is from a leader of the past, or for an epoch that is not the next.
    OtherEpoch,
}

impl Ignored {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::Unreadable,
        Self::OtherFormat,
        Self::UnknownGateway,
        Self::NotItsOwn,
        Self::Repeated,
        Self::OtherEpoch,
    ];

    /// Returns the name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::OtherFormat => "other format",
            Self::UnknownGateway => "unknown gateway",
            Self::NotItsOwn => "not its own connection",
            Self::Repeated => "repeated",
            Self::OtherEpoch => "other epoch",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<M> {
    faf_lobby: u32,
    message: M,
}

/// The version alone, which can be read whatever the rest is.
#[derive(Deserialize)]
struct Version {
    faf_lobby: u32,
}

impl<E: Serialize> StreamMessage<E> {
    /// Returns the message as it is appended to the stream: JSON, after the version of the format.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(&Envelope { faf_lobby: FORMAT, message: self })
            .expect("inputs are JSON: their maps have text as keys")
    }
}

impl StreamMessage {
    /// Reads a message of the stream, in which anybody may have written anything.
    ///
    /// # Errors
    /// [`Ignored::OtherFormat`] and [`Ignored::Unreadable`].
    pub fn decode(payload: &[u8]) -> Result<Self, Ignored> {
        match serde_json::from_slice::<Envelope<Self>>(payload) {
            Ok(Envelope { faf_lobby: FORMAT, message }) => Ok(message),
            Ok(_) => Err(Ignored::OtherFormat),
            Err(_) => match serde_json::from_slice(payload) {
                Ok(Version { faf_lobby }) if faf_lobby != FORMAT => Err(Ignored::OtherFormat),
                _ => Err(Ignored::Unreadable),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use faf_protocol::Message;

    use super::*;

    #[test]
    fn message_is_read_as_it_was_written() {
        let text = r#"{"command":"x","n":1.50}"#;
        let message = Message::parse_text(text, &faf_protocol::Limits::default()).unwrap();
        let event = Event::Notification { to: None, message };
        let message =
            StreamMessage::Core { epoch: Epoch(3), number: 9, inputs: vec![CoreInput::Event(event)] };
        assert_eq!(StreamMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn rubbish_and_other_versions_are_told_apart() {
        let decode = |text: &str| StreamMessage::decode(text.as_bytes());
        for text in ["", "{}", "[1]", "\u{0}", r#"{"faf_lobby":1,"message":"x"}"#, r#"{"faf_lobby":"2"}"#] {
            assert_eq!(decode(text), Err(Ignored::Unreadable), "{text}");
        }
        assert_eq!(decode(r#"{"faf_lobby":2,"message":{"New":{}}}"#), Err(Ignored::OtherFormat));
    }
}
