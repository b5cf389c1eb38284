//! One connection of a client: its socket, and how far it is.

use std::time::Instant;

use bytes::BytesMut;
use faf_protocol::websocket::Role;
use faf_protocol::{Decoded, Decoder, Limits, Message, WireFormat};
use mio::net::TcpStream;

use crate::swarm::counter::Counter;
use crate::swarm::login::Login;
use crate::swarm::marker::Tail;
use crate::swarm::socket::Socket;

/// How much a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All there is.
    Everything,
    /// Nothing any more.
    Stalled,
    /// One byte a second.
    Trickle,
}

/// How far a connection is.
#[derive(Debug)]
pub(crate) enum Phase {
    Connecting(Instant),
    /// The upgrade to WebSocket was asked for; its answer, as far as it has come.
    Upgrading(Instant, Vec<u8>),
    LoggingIn(Box<Login>),
    LoggedIn,
}

/// Takes messages apart, for the few clients who want to know what is said.
#[derive(Debug)]
pub(crate) struct Ear {
    decoder: Decoder,
    received: BytesMut,
}

impl Ear {
    pub(crate) fn new(format: WireFormat) -> Self {
        Self {
            decoder: Decoder::for_role(format, Role::Client, Limits::default()),
            received: BytesMut::new(),
        }
    }

    /// The messages that end in these bytes.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.received.extend_from_slice(bytes);
        let mut messages = Vec::new();
        while let Ok(Some(decoded)) = self.decoder.decode(&mut self.received) {
            if let Decoded::Message(message) = decoded {
                messages.push(message);
            }
        }
        if self.received.is_empty() {
            self.received = BytesMut::new();
        }
        messages
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: Socket,
    pub(crate) format: WireFormat,
    pub(crate) phase: Phase,
    pub(crate) counter: Counter,
    pub(crate) reading: Reading,
    /// Where a marker may have begun, for those who look for markers.
    pub(crate) markers: Option<Box<Tail>>,
    pub(crate) ear: Option<Box<Ear>>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, format: WireFormat, began: Instant) -> Self {
        Self {
            socket: Socket::new(stream),
            format,
            phase: Phase::Connecting(began),
            counter: Counter::new(format),
            reading: Reading::Everything,
            markers: None,
            ear: None,
        }
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        matches!(self.phase, Phase::LoggedIn)
    }
}
