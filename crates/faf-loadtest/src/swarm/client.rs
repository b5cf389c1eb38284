//! Clients, and the orders to their threads.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use crate::actors::{Actor, ActorCommand};
use crate::swarm::address::Endpoint;
use crate::swarm::connection::{Connection, Reading};
use crate::swarm::credentials::Credentials;

/// State shared by all threads.
#[derive(Debug)]
pub(crate) struct Common {
    /// Endpoints; clients are divided among them by number.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) credentials: Credentials,
    pub(crate) per_address: u32,
    /// Number of connections made so far.
    pub(crate) connections: AtomicU64,
    /// Number of clients that are logged in.
    pub(crate) online: AtomicUsize,
    /// Clients whose number is divisible by this look for markers.
    pub(crate) every: u32,
}

/// An order to a thread.
#[derive(Debug)]
pub(crate) enum Order {
    /// Log these clients in, at most `at_once` at a time.
    LogIn {
        clients: Vec<usize>,
        at_once: usize,
        retry: bool,
    },
    /// Close the connections of these clients.
    LogOut {
        clients: Vec<usize>,
    },
    /// Log these clients in and out again, repeatedly.
    Cycle {
        clients: Vec<usize>,
        at_once: usize,
        pause: Duration,
    },
    /// Change the reading speed of these clients.
    Read {
        clients: Vec<usize>,
        reading: Reading,
    },
    /// Send a command to all actors.
    Command(ActorCommand),
    /// Use the new addresses of a restarted server.
    Move(Vec<SocketAddr>),
    Stop,
}

/// A client, with or without a connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) number: u32,
    pub(crate) actor: Option<Box<dyn Actor>>,
    /// Size of the receive buffer in the kernel, from the moment when the client stops reading.
    pub(crate) receive_buffer: Option<usize>,
    pub(crate) connection: Option<Connection>,
    /// Number of connections that it has had.
    pub(crate) connections: u32,
    /// Whether the client behaves well, so that the server must not end its connection.
    pub(crate) is_honest: bool,
    /// Pause between two logins, if it logs in and out repeatedly.
    pub(crate) cycles: Option<Duration>,
}

impl Client {
    pub(crate) fn new(number: u32, actor: Option<Box<dyn Actor>>, receive_buffer: Option<usize>) -> Self {
        Self {
            number,
            actor,
            receive_buffer,
            connection: None,
            connections: 0,
            is_honest: true,
            cycles: None,
        }
    }
}
