//! What reaches the lobby.

use std::sync::Arc;

use faf_connection::Writer;
use faf_lobby_core::{ConnId, Event, World};
use faf_protocol::{ClientMessage, CommandError};
use tokio::time::Instant;

use crate::net::slot::ConnectionSlot;

/// Inputs that may wait. While the inbox is full, sessions wait with their messages.
pub(crate) const INBOX_INPUTS: usize = 1024;

/// A message of a client, as far as it can be understood.
pub(crate) type Received = Result<ClientMessage, CommandError>;

/// An input of the lobby.
pub(crate) enum Input {
    /// A client has connected; the event is [`Event::Connected`].
    Connect(ConnId, Writer, Arc<ConnectionSlot>, Event),
    /// A client has sent a message, which was read at this time.
    Received(ConnId, Received, Instant),
    /// Any other event.
    Event(Event),
    /// Another part of the server looks at the world.
    Inspect(Box<dyn FnOnce(&World) + Send>),
}
