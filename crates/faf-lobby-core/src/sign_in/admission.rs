//! Admission: a queue between accepted credentials and the request that signs a player in.
//!
//! Signing in is a write to the database, and is followed by the longest messages that a client
//! gets. When thousands of players return at once, as after a restart, they are signed in at a rate
//! that leaves time for those who are online.
//!
//! ```text
//! credentials are right --> the queue, by address --> at most LOGINS_AT_ONCE requests, --> online
//!                           one after the other       at most login_rate a second
//! ```
//!
//! Addresses take turns, so many connections from one address only delay each other. A connection
//! has at most one place, because it is busy as long as it waits; so the queue is never longer than
//! the connection limit of the server.

use std::time::Duration;

use faf_protocol::PlayerId;

use crate::clock::next_on_grid;
use crate::io::conn::ConnId;
use crate::io::metric::Count;
use crate::io::request::SignIn;
use crate::state::Lobby;
use crate::state::admission::LoggingIn;
use crate::state::pending::Progress;
use crate::state::timers::Timer;

/// Sign-ins that may be under way. The database writes one after the other, so more would only wait
/// there instead of here.
pub(crate) const LOGINS_AT_ONCE: usize = 64;

/// Time between two looks at those who wait: short for a player, and long enough not to wake the
/// server for each of them.
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
        if let Err(earliest) = lobby.admission.pace.let_in(now, lobby.settings.login_rate) {
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

/// The timer for the queue is due.
pub(crate) fn admission_is_due(lobby: &mut Lobby) {
    lobby.admission.is_timer_set = false;
    admit(lobby);
}

/// Requests everything about a player who has been admitted.
pub(crate) fn sign_in(lobby: &mut Lobby, conn: ConnId, memo: LoggingIn) -> Progress {
    restart_login_timeout(lobby, conn);
    let session = lobby.session(conn);
    let (address, user_agent) = (session.address, session.program.user_agent.clone());
    lobby.request(conn, SignIn { player: memo.player(), address, user_agent }, memo)
}

/// The connection has its whole time to log in from now on.
pub(crate) fn restart_login_timeout(lobby: &mut Lobby, conn: ConnId) {
    let deadline = lobby.now.elapsed + lobby.settings.login_timeout;
    let session = lobby.session_mut(conn);
    let before = std::mem::replace(&mut session.login_deadline, deadline);
    lobby.timers.remove(before, Timer::Login(conn));
    lobby.timers.set(deadline, Timer::Login(conn));
}

/// A player who is logging in has been rated or banned: what was read of the player may be out of
/// date.
pub(crate) fn rated_while_logging_in(lobby: &mut Lobby, player: PlayerId) {
    for entry in lobby.pending.sign_in.values_mut() {
        entry.memo.rated(player);
    }
}
