//! Clients, and what their threads share.

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use crate::swarm::Role;
use crate::swarm::address::Endpoint;
use crate::swarm::connection::Connection;
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

/// A client, with or without a connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) number: u32,
    pub(crate) role: Role,
    pub(crate) connection: Option<Connection>,
    /// Number of connections that it has had.
    pub(crate) connections: u32,
    /// Whether the client behaves well, so that the server must not end its connection.
    pub(crate) is_honest: bool,
    /// Pause between two logins, if it logs in and out repeatedly.
    pub(crate) cycles: Option<Duration>,
}

impl Client {
    pub(crate) fn new(number: u32, role: Role) -> Self {
        Self { number, role, connection: None, connections: 0, is_honest: true, cycles: None }
    }
}
