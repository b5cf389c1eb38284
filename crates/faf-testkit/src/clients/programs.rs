//! All programs, at every connection of a lobby.

use std::collections::BTreeMap;
use std::sync::Arc;

use faf_lobby_core::ConnId;
use faf_protocol::{Encode, Message, ServerMessage};

use super::{Checker, Client, Violation};

/// One client of each program at every connection, which all receive the same.
#[derive(Debug, Clone)]
pub struct Programs {
    clients: Vec<Arc<Client>>,
    checkers: BTreeMap<ConnId, Vec<Checker>>,
    /// All violations so far.
    pub violations: Vec<Violation>,
    /// Number of the messages so far, by command.
    pub received: BTreeMap<String, u64>,
}

impl Programs {
    /// Reads the tables of all programs.
    ///
    /// # Panics
    /// If a table is missing or cannot be understood.
    #[must_use]
    pub fn new() -> Self {
        Self {
            clients: Client::all(),
            checkers: BTreeMap::new(),
            violations: Vec::new(),
            received: BTreeMap::new(),
        }
    }

    /// Passes on the next message to a connection.
    ///
    /// # Panics
    /// If the message cannot be encoded.
    pub fn receive(&mut self, conn: ConnId, message: &ServerMessage) {
        let mut json = Vec::new();
        message.write_json(&mut json).expect("messages of the lobby can be encoded");
        let text = String::from_utf8(json).expect("JSON is UTF-8");
        let clients = &self.clients;
        let checkers =
            self.checkers.entry(conn).or_insert_with(|| clients.iter().map(Checker::new).collect());
        let found = checkers.iter_mut().flat_map(|checker| checker.check(&text));
        self.violations.extend(found);
        let message: Message = text.parse().expect("the lobby encodes messages");
        *self.received.entry(message.command().unwrap_or_default().into_owned()).or_default() += 1;
    }
}

impl Default for Programs {
    fn default() -> Self {
        Self::new()
    }
}
