//! After a difference, the state of a player is brought to the recorded one as far as possible, so
//! that one difference does not make everything that the player does later differ.

use std::collections::BTreeMap;

use faf_lobby_core::{ConnId, Event};
use faf_protocol::client_message::Hello;
use faf_protocol::{ClientMessage, Secret, SessionNumber};

use super::lanes::Piece;
use super::run::Judge;
use crate::store::StoreError;

/// The first number of connections that are opened again. Recorded ones are counted from 1.
const AGAIN: u64 = 1 << 48;

/// Connections that were opened again, with their numbers in the recording.
#[derive(Debug, Default)]
pub(super) struct Reopened {
    recorded: BTreeMap<u64, u64>,
    last: u64,
}

impl Reopened {
    /// Returns the number of a connection in the recording.
    pub(super) fn recorded(&self, conn: ConnId) -> u64 {
        if conn.0 < AGAIN { conn.0 } else { self.recorded.get(&conn.0).copied().unwrap_or(conn.0) }
    }

    fn open(&mut self, recorded: u64) -> ConnId {
        self.last += 1;
        let conn = ConnId(AGAIN + self.last);
        self.recorded.insert(conn.0, recorded);
        conn
    }

    /// Forgets a connection that has ended in the recording, too.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.recorded.remove(&conn.0);
    }
}

impl Judge<'_> {
    /// Opens connections again that this lobby has ended, but the recorded server has not.
    pub(super) async fn realign(&mut self, pieces: &[Piece]) -> Result<(), StoreError> {
        for piece in pieces {
            if piece.findings.iter().any(|finding| finding == "unexpected the end") {
                self.reopen(piece.conn).await?;
            }
        }
        Ok(())
    }

    /// Logs a player in again. The messages of this login are not compared.
    async fn reopen(&mut self, conn: u64) -> Result<(), StoreError> {
        let Some(client) = self.conns.get_mut(&conn).filter(|client| !client.is_open && !client.has_left)
        else {
            return Ok(());
        };
        let Some(login) = client.login.clone() else { return Ok(()) };
        self.reopened.forget(client.ours);
        client.ours = self.reopened.open(conn);
        client.is_open = true;
        client.is_returning = true;
        client.holds.clear();
        client.outgoing.clear();
        let event = Event::Connected {
            conn: client.ours,
            address: None,
            country: client.country,
            session: SessionNumber(0),
        };
        self.report
            .remark("connections opened again that this lobby had ended, but the recorded server had not");
        self.lanes.mute(conn, true);
        self.handle(event).await?;
        let hello = Hello { login, password: Secret::new(""), unique_id: String::new() };
        self.receive(conn, Ok(ClientMessage::Hello(hello))).await?;
        self.lanes.mute(conn, false);
        Ok(())
    }
}
