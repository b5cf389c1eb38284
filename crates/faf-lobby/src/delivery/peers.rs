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
    /// The number of its next broadcast, once it is logged in.
    pub(crate) next_broadcast: Option<u64>,
    /// Its backlog, if it has fallen behind.
    pub(crate) backlog: Option<Box<Backlog>>,
}

impl Peer {
    pub(crate) fn new(writer: Writer, slot: Arc<ConnectionSlot>) -> Self {
        Self { writer, slot, next_broadcast: None, backlog: None }
    }

    /// Closes the connection after everything that waits for it.
    pub(crate) fn close(&mut self, ending: &Ending) {
        self.writer.set_ending(ending.code, &ending.reason);
        let waiting = self.backlog.take().map(|mut backlog| backlog.take_front(usize::MAX));
        self.writer.finish(waiting.unwrap_or_default());
        self.slot.end();
    }
}

/// All connections, in a row, which is cheap to iterate.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    row: Vec<(ConnId, Peer)>,
    places: HashMap<ConnId, usize>,
}

impl Peers {
    pub(crate) fn len(&self) -> usize {
        self.row.len()
    }

    pub(crate) fn insert(&mut self, conn: ConnId, peer: Peer) {
        self.places.insert(conn, self.row.len());
        self.row.push((conn, peer));
    }

    /// Removes a connection. Returns its place, to which the last one has moved.
    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<(usize, Peer)> {
        let place = self.places.remove(&conn)?;
        let (_, peer) = self.row.swap_remove(place);
        if let Some((moved, _)) = self.row.get(place) {
            self.places.insert(*moved, place);
        }
        Some((place, peer))
    }

    pub(crate) fn place_of(&self, conn: ConnId) -> Option<usize> {
        self.places.get(&conn).copied()
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Peer> {
        let place = self.place_of(conn)?;
        Some(&mut self.row[place].1)
    }

    /// The connection at a place below [`len`](Self::len).
    pub(crate) fn at(&mut self, place: usize) -> (ConnId, &mut Peer) {
        let (conn, peer) = &mut self.row[place];
        (*conn, peer)
    }
}
