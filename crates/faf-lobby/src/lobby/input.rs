//! Inputs of the event loop.

use std::sync::Arc;

use faf_connection::Writer;
use faf_lobby_core::{ConnId, Event, World};
use faf_protocol::{ClientMessage, CommandError};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::net::slot::ConnectionSlot;

/// Number of inputs that the inbox holds. While it is full, sessions wait with their messages.
pub(crate) const INBOX_INPUTS: usize = 1024;

/// A client's message, or the reason it is not a valid command.
pub(crate) type Received = Result<ClientMessage, CommandError>;

/// An input of the event loop.
pub(crate) enum Input {
    /// A client has connected; the event is [`Event::Connected`].
    Connect(ConnId, Writer, Arc<ConnectionSlot>, Event),
    /// A client has sent a message, which the session read at this time.
    Received(ConnId, Received, Instant),
    /// Any other event.
    Event(Event),
    /// Another part of the server inspects the world.
    Inspect(Box<dyn FnOnce(&World) + Send>),
    /// Another part of the server waits until the events before this are a part of the world for
    /// good. The sender is dropped if they may never be.
    Settled(oneshot::Sender<()>),
}
