//! Admission: a queue between accepted credentials and the request that signs a player in.
//!
//! Signing in is a write to the database, and is followed by the longest messages that a client
//! gets. When thousands of players reconnect at once, as after a restart, they are signed in at a
//! rate that leaves time for the players who are online.
//!
//! ```text
//! credentials are right --> the queue, by address --> at most LOGINS_AT_ONCE requests, --> online
//!                           one after the other       at most login_rate a second
//! ```
//!
//! Addresses take turns, so connections from one address only delay each other. A connection is
//! busy while it waits, so it has at most one place, and the queue is never longer than the
//! connection limit of the server.

use std::time::Duration;

use faf_protocol::PlayerId;

use crate::clock::next_on_grid;
use crate::io::{ConnId, Count, SignIn};
use crate::state::{Lobby, LoggingIn, Progress, Timer};

/// Maximum number of sign-ins in flight. The database writes one after the other, so more would
/// only wait there instead of here.
pub(crate) const LOGINS_AT_ONCE: usize = 64;

/// Time between two checks of the queue: short for a player, and long enough not to wake the server
/// for each login.
const STEP: Duration = Duration::from_millis(10);

/// Queues a player to be signed in.
pub(crate) fn queue_login(lobby: &mut Lobby, conn: ConnId, state: LoggingIn) {
    let address = lobby.session(conn).address;
    lobby.admission.push(conn, address, state);
    admit(lobby);
    if lobby.admission.is_waiting(conn) {
        lobby.count(Count::LoginWaits);
    }
}

/// Signs in as many queued players as are allowed now.
pub(crate) fn admit(lobby: &mut Lobby) {
    // A sign-in counts until its reply comes, even if its connection has ended: the database still
    // works on it.
    while !lobby.has_stopped()
        && lobby.pending.sign_in.len() < LOGINS_AT_ONCE
        && lobby.admission.waiting() > 0
    {
        let now = lobby.now.elapsed;
        if let Err(earliest) = lobby.admission.pace.admit_one(now, lobby.settings.login_rate) {
            if !std::mem::replace(&mut lobby.admission.is_timer_set, true) {
                let due = next_on_grid(earliest.saturating_sub(Duration::from_nanos(1)), STEP);
                lobby.timers.set(due, Timer::Admission);
            }
            return;
        }
        let Some((conn, state)) = lobby.admission.next() else { return };
        sign_in(lobby, conn, state);
    }
}

/// Handles the timer of the queue.
pub(crate) fn admission_is_due(lobby: &mut Lobby) {
    lobby.admission.is_timer_set = false;
    admit(lobby);
}

/// Requests the profile of a player who has been admitted.
pub(crate) fn sign_in(lobby: &mut Lobby, conn: ConnId, memo: LoggingIn) -> Progress {
    restart_login_timeout(lobby, conn);
    let session = lobby.session(conn);
    let (address, user_agent) = (session.address, session.program.user_agent.clone());
    lobby.request(conn, SignIn { player: memo.player, address, user_agent }, memo)
}

/// Gives the connection the whole login timeout again.
pub(crate) fn restart_login_timeout(lobby: &mut Lobby, conn: ConnId) {
    let deadline = lobby.now.elapsed + lobby.settings.login_timeout;
    let session = lobby.session_mut(conn);
    let before = std::mem::replace(&mut session.login_deadline, deadline);
    lobby.timers.remove(before, Timer::Login(conn));
    lobby.timers.set(deadline, Timer::Login(conn));
}

/// Handles a new rating or ban of a player who is logging in: the profile that was read may be out
/// of date.
pub(crate) fn profile_changed(lobby: &mut Lobby, player: PlayerId) {
    for entry in lobby.pending.sign_in.values_mut() {
        entry.memo.rated(player);
    }
}
