//! How connections open.

use std::net::IpAddr;
use std::sync::Arc;

use faf_protocol::{Country, SessionNumber};

use crate::io::{ConnId, Count, Effect};
use crate::state::{ClientProgram, Lobby, Session, Timer};

/// Handles a new connection, and starts its login timeout.
pub(crate) fn connected(
    lobby: &mut Lobby,
    conn: ConnId,
    address: Option<IpAddr>,
    country: Country,
    number: SessionNumber,
) {
    if lobby.has_stopped() {
        lobby.effects.push_back(Effect::Close { conn });
        return;
    }
    let program = lobby.programs.share(ClientProgram::default());
    lobby.count(Count::Connection);
    lobby.count(Count::ClientProgram { before: None, after: Some(Arc::clone(&program)) });
    let (now, login_timeout) = (lobby.now.elapsed, lobby.settings.login_timeout);
    let unpaid = lobby.unpaid.of_address(address, now);
    let session = Session::new(number, address, country, program, unpaid, now, login_timeout);
    lobby.timers.set(session.login_deadline, Timer::Login(conn));
    lobby.sessions.insert(conn, Box::new(session));
}
