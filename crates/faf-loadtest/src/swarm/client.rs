//! Clients, and the orders they get.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use crate::actors::{Actor, Cue};
use crate::swarm::address::Endpoint;
use crate::swarm::connection::{Connection, Reading};
use crate::swarm::credentials::Credentials;

/// Shared by all threads.
#[derive(Debug)]
pub(crate) struct Common {
    /// The client of a number takes the one that it falls on.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) credentials: Credentials,
    pub(crate) per_address: u32,
    /// Connections that were made so far.
    pub(crate) connections: AtomicU64,
    /// Clients who are logged in.
    pub(crate) online: AtomicUsize,
    /// Clients of which this is a divisor look for markers.
    pub(crate) every: u32,
}

/// An order to a thread.
#[derive(Debug)]
pub(crate) enum Order {
    /// Log these in, at most `at_once` at a time.
    LogIn {
        clients: Vec<usize>,
        at_once: usize,
        retry: bool,
    },
    /// Close the connections of these.
    LogOut {
        clients: Vec<usize>,
    },
    /// Log these in and out again, over and over.
    Cycle {
        clients: Vec<usize>,
        at_once: usize,
        pause: Duration,
    },
    /// These read like this from now on.
    Read {
        clients: Vec<usize>,
        reading: Reading,
    },
    /// Tell all actors.
    Cue(Cue),
    /// A server that has been started again listens there.
    Move(Vec<SocketAddr>),
    Stop,
}

/// A client, with or without a connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) number: u32,
    pub(crate) actor: Option<Box<dyn Actor>>,
    /// Size of the receive buffer in the kernel, for clients who will not read, from then on.
    pub(crate) receive_buffer: Option<usize>,
    pub(crate) connection: Option<Connection>,
    /// How many connections it has had.
    pub(crate) connections: u32,
    /// Not so one that misbehaves on purpose, so that it is right to end its connection.
    pub(crate) is_honest: bool,
    /// The pause between a login and the next, if it logs in and out over and over.
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
