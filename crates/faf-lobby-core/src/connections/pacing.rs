//! The rules of pacing; `state/pacing.rs` says how much a client may send, and why.

use faf_protocol::PlayerId;

use crate::io::{ConnId, Count, LogLine};
use crate::state::{CommandClass, Lobby, Timer};
use crate::texts;

/// Charges a connection for a message. If the connection has sent too many, the next message must
/// wait, and the player is notified once.
pub(crate) fn pay(lobby: &mut Lobby, conn: ConnId, class: CommandClass, bytes: usize) {
    let now = lobby.now.elapsed;
    let session = lobby.session_mut(conn);
    let is_too_fast = session.pacing.spend(class, bytes, now);
    if session.player.is_none() {
        let (address, pacing) = (session.address, session.pacing.without_logins());
        lobby.unpaid.leave(None, address, pacing, now);
    }
    if !is_too_fast {
        return;
    }
    let session = lobby.session_mut(conn);
    let is_first = !std::mem::replace(&mut session.was_paced, true);
    lobby.count(Count::Paced(class));
    if is_first {
        lobby.log(LogLine::Paced { conn, class });
        lobby.send(conn, texts::information(texts::too_fast(class)));
    }
}

/// Charges the player instead of the address from now on.
pub(crate) fn take_over_pacing(lobby: &mut Lobby, conn: ConnId, player: PlayerId) {
    let now = lobby.now.elapsed;
    let pacing = lobby.unpaid.take_over(player, now);
    let session = lobby.session_mut(conn);
    session.was_paced = false;
    let before = std::mem::replace(&mut session.pacing, pacing);
    // A message that waits for the login is the first that the player pays for.
    let waiting = session.waiting.as_deref().map(|waiting| (waiting.class, waiting.bytes));
    if let Some((class, bytes)) = waiting
        && session.pacing.spend(class, bytes, now)
    {
        lobby.count(Count::Paced(class));
    }
    lobby.timers.remove(before.reads_at(), Timer::Read(conn));
}

/// Returns whether a connection must wait before it is read, and sets a timer if so.
pub(crate) fn must_wait(lobby: &mut Lobby, conn: ConnId) -> bool {
    let reads_at = lobby.session(conn).pacing.reads_at();
    let must_wait = reads_at > lobby.now.elapsed;
    if must_wait {
        lobby.timers.set(reads_at, Timer::Read(conn));
    }
    must_wait
}
