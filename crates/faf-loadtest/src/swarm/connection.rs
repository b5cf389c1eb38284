//! One connection of a client: its socket and its state.

use std::time::Instant;

use bytes::BytesMut;
use faf_protocol::websocket::Role;
use faf_protocol::{Decoded, Decoder, Limits, Message, WireFormat};
use mio::net::TcpStream;

use crate::swarm::counter::Counter;
use crate::swarm::login::Login;
use crate::swarm::marker::Tail;
use crate::swarm::socket::Socket;

/// The reading speed of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All available bytes.
    Everything,
    /// No bytes any more.
    Stalled,
    /// One byte per second.
    Trickle,
}

/// State of a connection.
#[derive(Debug)]
pub(crate) enum Phase {
    Connecting(Instant),
    /// The client has requested the upgrade to WebSocket, and received this part of the answer.
    Upgrading(Instant, Vec<u8>),
    LoggingIn(Box<Login>),
    LoggedIn,
}

/// Decodes messages, for the few clients that need their contents.
#[derive(Debug)]
pub(crate) struct MessageDecoder {
    decoder: Decoder,
    received: BytesMut,
}

impl MessageDecoder {
    pub(crate) fn new(format: WireFormat) -> Self {
        Self {
            decoder: Decoder::for_role(format, Role::Client, Limits::default()),
            received: BytesMut::new(),
        }
    }

    /// Returns the messages that end in these bytes.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Vec<Message> {
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

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: Socket,
    pub(crate) format: WireFormat,
    pub(crate) phase: Phase,
    pub(crate) counter: Counter,
    pub(crate) reading: Reading,
    /// Position at which a marker may have begun, for clients that look for markers.
    pub(crate) markers: Option<Box<Tail>>,
    pub(crate) decoder: Option<Box<MessageDecoder>>,
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
            decoder: None,
        }
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        matches!(self.phase, Phase::LoggedIn)
    }
}
