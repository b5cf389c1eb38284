//! Connecting, logging in and disconnecting of clients.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::{Interest, Token};
use socket2::SockRef;

use super::Worker;
use crate::messages;
use crate::swarm::address;
use crate::swarm::connection::{Connection, MessageDecoder, Phase, Reading};
use crate::swarm::login::Login;
use crate::swarm::marker;
use crate::swarm::timers::Task;

/// Time before a client tries again to connect.
const RETRY: Duration = Duration::from_millis(100);

/// Maximum number of connections that are begun before other sockets are served, which takes some
/// milliseconds, so that these receive in time.
const CONNECTS: usize = 128;

impl Worker {
    /// Returns whether a client must log in now.
    pub(super) fn may_begin(&self) -> bool {
        self.logging_in < self.at_once && !self.queue.is_empty()
    }

    pub(super) fn begin_logins(&mut self) {
        for _ in 0..CONNECTS {
            if !self.may_begin() {
                return;
            }
            let Some(client) = self.queue.pop_front() else { return };
            if self.clients[client].connection.is_none() {
                self.connect(client);
            }
        }
    }

    fn connect(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let endpoints = &self.common.endpoints;
        let place = client.number as usize % endpoints.len();
        let (format, address) = (endpoints[place].format(), endpoints[place].address);
        let to = self.moved.as_ref().map_or(address, |moved| moved[place]);
        let number = self.common.connections.fetch_add(1, Ordering::Relaxed);
        client.connections += 1;
        let began = Instant::now();
        let source = address::source(number, self.common.per_address);
        // With the large packets of loopback, the server's kernel would use megabytes for a
        // connection that is not read.
        let small_packets = client.role.receive_buffer.is_some();
        let connected = address::connect(&self.registry, Token(index), to, source, small_packets);
        self.logging_in += 1;
        match connected {
            Ok(stream) => {
                let mut connection = Connection::new(stream, format, began);
                if client.number.is_multiple_of(self.common.every) {
                    connection.markers = Some(Box::default());
                }
                if client.role.actor.is_some() {
                    connection.decoder = Some(Box::new(MessageDecoder::new(connection.format)));
                }
                client.connection = Some(connection);
            }
            Err(error) => self.fail(index, &format!("cannot connect to {to}: {error}")),
        }
    }

    /// Handles a failed login.
    fn fail(&mut self, client: usize, why: &str) {
        self.clients[client].connection = None;
        self.logging_in -= 1;
        if self.retry || self.clients[client].cycles.is_some() {
            self.later(client, RETRY, Task::Retry);
        }
        if self.retry {
            self.sample.retries += 1;
        } else {
            let number = self.clients[client].number + 1;
            self.sample.fail(|| format!("client {number}: {why}"));
        }
    }

    /// Handles the loss of a connection.
    pub(super) fn lose(&mut self, index: usize, why: &str) {
        let client = &mut self.clients[index];
        let Some(connection) = client.connection.take() else { return };
        if connection.is_logged_in() {
            self.common.online.fetch_sub(1, Ordering::Relaxed);
            self.sample.lost += 1;
            self.sample.lost_honest += u64::from(client.is_honest);
            return;
        }
        let when = match &connection.phase {
            Phase::Connecting(_) => "cannot connect",
            Phase::Upgrading(..) => "no upgrade to WebSocket",
            Phase::LoggingIn(login) if !login.is_welcome() => {
                "the server ends the connection without a welcome"
            }
            _ => "the server ends the connection in the middle of the login",
        };
        self.fail(index, &format!("{when}: {why}"));
    }

    pub(in crate::swarm) fn close(&mut self, index: usize) {
        let Some(connection) = self.clients[index].connection.take() else { return };
        match connection.phase {
            Phase::LoggedIn => _ = self.common.online.fetch_sub(1, Ordering::Relaxed),
            _ => self.logging_in -= 1,
        }
    }

    pub(in crate::swarm) fn set_reading(&mut self, index: usize, reading: Reading) {
        let client = &mut self.clients[index];
        let Some(connection) = &mut client.connection else { return };
        connection.reading = reading;
        client.is_honest = reading == Reading::Everything;
        if let Some(size) = client.role.receive_buffer {
            // If the old size stays, it only takes longer until the buffer is full.
            _ = SockRef::from(&connection.socket.stream).set_recv_buffer_size(size);
        }
        // Errors are reported in any case.
        let interest = match reading {
            Reading::Everything => Interest::READABLE | Interest::WRITABLE,
            Reading::Stalled | Reading::Trickle => Interest::WRITABLE,
        };
        if self.registry.reregister(&mut connection.socket.stream, Token(index), interest).is_err() {
            self.lose(index, "the socket is unusable");
        } else if reading == Reading::Trickle {
            self.later(index, Duration::from_secs(1), Task::Trickle);
        }
    }

    /// Handles an established connection.
    pub(super) fn open(&mut self, index: usize, began: Instant) {
        let client = &mut self.clients[index];
        let Some(connection) = &mut client.connection else { return };
        let endpoints = &self.common.endpoints;
        let endpoint = &endpoints[client.number as usize % endpoints.len()];
        if self.common.credentials.is_empty() {
            connection.phase = Phase::LoggedIn;
            self.complete(index, began);
        } else if connection.format.has_upgrade() {
            connection.phase = Phase::Upgrading(began, Vec::new());
            connection.socket.send(&messages::upgrade(&endpoint.url));
        } else {
            self.log_in(index, began);
        }
    }

    pub(super) fn log_in(&mut self, index: usize, began: Instant) {
        let client = &mut self.clients[index];
        let Some(connection) = &mut client.connection else { return };
        connection.phase = Phase::LoggingIn(Box::new(Login::new(began)));
        let mut bytes = Vec::with_capacity(1024);
        for message in self.common.credentials.messages(client.number) {
            messages::encode(connection.format, &message, &mut bytes);
        }
        connection.socket.send(&bytes);
    }

    /// Handles a complete login: all lists have arrived.
    pub(super) fn complete(&mut self, index: usize, began: Instant) {
        self.logging_in -= 1;
        self.common.online.fetch_add(1, Ordering::Relaxed);
        self.sample.lists.record(began.elapsed());
        self.sample.logins.push(marker::now());
        if let Some(pause) = self.clients[index].cycles {
            self.close(index);
            match pause.is_zero() {
                true => self.queue.push_back(index),
                false => self.later(index, pause, Task::Retry),
            }
            return;
        }
        self.act(index, |actor, context| actor.logged_in(context));
    }
}
