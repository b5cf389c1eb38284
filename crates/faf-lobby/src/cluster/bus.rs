//! [`Bus`]: how a process of a cluster reaches the stream and the other processes. A task behind it
//! speaks to NATS; in tests, one in memory takes its place.

use std::sync::Arc;

use bytes::Bytes;
use faf_lobby_cluster::GatewayId;
use faf_lobby_core::Timestamp;
use tokio::sync::mpsc;

/// Most events of the bus that wait for the loop of a process. While there are as many, nothing
/// more is read.
pub(crate) const BUS_EVENTS: usize = 1024;

/// Something that a process asks its bus to do. Commands are carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BusCommand {
    /// Append a message to the stream. The bus tries once; a message with a number is followed by
    /// [`BusEvent::Appended`] or [`BusEvent::NotAppended`].
    Append {
        /// Number of the message for its sender.
        number: Option<u64>,
        /// Id by which the stream recognises a repetition.
        id: String,
        /// The message.
        payload: Arc<[u8]>,
    },
    /// Send a message to one gateway.
    ToGateway(GatewayId, Bytes),
    /// Send a message to all gateways.
    ToAll(Bytes),
    /// Send a message to all cores, of which the leader acts.
    ToCores(Bytes),
    /// From now on, also receive what is sent to this gateway alone, and no longer what was sent to
    /// an earlier one.
    ListenAs(GatewayId),
}

/// Something that a bus tells its process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BusEvent {
    /// The next message of the stream; only for cores, which read it from the position that they
    /// began with, without a gap.
    Entry {
        /// Its sequence number.
        sequence: u64,
        /// Its time in the stream.
        time: Timestamp,
        /// The message.
        payload: Bytes,
    },
    /// A message to this process: from a core for gateways, from a gateway for cores.
    Message(Bytes),
    /// The stream has stored the message with this number.
    Appended(u64),
    /// The stream has not stored a message with a number, or it is not known whether it has.
    /// `is_full`: it has no room, which an operator must see to.
    NotAppended {
        /// Number of the message.
        number: u64,
        /// Whether the stream is full.
        is_full: bool,
    },
    /// The stream can be reached again.
    Reconnected,
    /// The stream cannot be reached.
    Disconnected,
    /// The bus has ended, for a reason that does not pass: the stream is gone, or was rolled back.
    Failed(String),
}

/// The ends of a bus that a process holds.
#[derive(Debug)]
pub(crate) struct Bus {
    /// Takes commands; never waits. A process bounds the number of those that are not acknowledged.
    pub(crate) commands: mpsc::UnboundedSender<BusCommand>,
    /// Events, in order.
    pub(crate) events: mpsc::Receiver<BusEvent>,
}
