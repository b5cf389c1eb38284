//! The connections that messages are delivered to.

use std::collections::HashMap;
use std::sync::Arc;

use faf_connection::Writer;
use faf_lobby_core::ConnId;

use super::backlog::Backlog;
use crate::net::slot::{ConnectionSlot, Ending};

/// A connection, as the delivery thread sees it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) writer: Writer,
    pub(crate) slot: Arc<ConnectionSlot>,
    /// Number of its next broadcast, after the login.
    pub(crate) next_broadcast: Option<u64>,
    /// Messages that wait, if it has fallen behind.
    pub(crate) backlog: Option<Box<Backlog>>,
}

impl Peer {
    pub(crate) fn new(writer: Writer, slot: Arc<ConnectionSlot>) -> Self {
        Self { writer, slot, next_broadcast: None, backlog: None }
    }

    /// Closes the connection after all messages that wait for it.
    pub(crate) fn close(&mut self, ending: &Ending) {
        self.writer.set_ending(ending.code, &ending.reason);
        let waiting = self.backlog.take().map(|mut backlog| backlog.take_front(usize::MAX));
        self.writer.finish(waiting.unwrap_or_default());
        self.slot.end();
    }
}

/// All connections, in one `Vec`, which is cheap to iterate.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    connections: Vec<(ConnId, Peer)>,
    places: HashMap<ConnId, usize>,
}

impl Peers {
    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn insert(&mut self, conn: ConnId, peer: Peer) {
        self.places.insert(conn, self.connections.len());
        self.connections.push((conn, peer));
    }

    /// Removes a connection. Returns it and its place, to which the last connection has moved.
    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<(usize, Peer)> {
        let place = self.places.remove(&conn)?;
        let (_, peer) = self.connections.swap_remove(place);
        if let Some((moved, _)) = self.connections.get(place) {
            self.places.insert(*moved, place);
        }
        Some((place, peer))
    }

    pub(crate) fn place_of(&self, conn: ConnId) -> Option<usize> {
        self.places.get(&conn).copied()
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Peer> {
        let place = self.place_of(conn)?;
        Some(&mut self.connections[place].1)
    }

    /// Returns the connection at a place, which must be below [`len`](Self::len).
    pub(crate) fn at(&mut self, place: usize) -> (ConnId, &mut Peer) {
        let (conn, peer) = &mut self.connections[place];
        (*conn, peer)
    }
}
