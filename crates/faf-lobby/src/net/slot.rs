//! Connection slots: the state of one connection that its session and the rest of the server share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use faf_lobby_core::Closing;
use faf_protocol::websocket::CloseCode;
use tokio::sync::OwnedSemaphorePermit;

use crate::net::read_gate::{Gate, Hold, ReadGate};
use crate::net::unauthenticated::UnauthenticatedGuard;

/// One of the connections that the connection limit allows.
///
/// The session, the lobby, and every open request of the connection hold it. The permit returns
/// when the last of them is done, so clients that connect and leave quickly cannot pile up more
/// work than there are slots.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    state: Mutex<State>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct State {
    gate: ReadGate,
    /// Whether the end of the connection was noted, with its reason.
    is_ending: bool,
    /// Wakes the session, if it waits.
    session: Option<Waker>,
    /// Counts the connection as unauthenticated. `None` after the login.
    unauthenticated: Option<Box<UnauthenticatedGuard>>,
}

/// The reason the lobby ends a connection, for the close frame of a WebSocket client.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub(crate) code: CloseCode,
    pub(crate) reason: String,
}

impl From<Closing> for Ending {
    fn from(Closing { is_shutdown, reason }: Closing) -> Self {
        let code = if is_shutdown { CloseCode::GoingAway } else { CloseCode::Policy };
        Self { code, reason }
    }
}

impl ConnectionSlot {
    pub(crate) fn new(permit: OwnedSemaphorePermit, unauthenticated: UnauthenticatedGuard) -> Arc<Self> {
        let unauthenticated = Some(Box::new(unauthenticated));
        let state = State { gate: ReadGate::default(), is_ending: false, session: None, unauthenticated };
        Arc::new(Self { state: Mutex::new(state), _permit: permit })
    }

    /// Adds a reason not to read the connection.
    pub(crate) fn hold(&self, reason: Hold) {
        self.state().gate.hold(reason);
    }

    /// Removes a reason not to read the connection.
    pub(crate) fn release(&self, reason: Hold) {
        let mut state = self.state();
        if state.gate.release(reason) {
            wake(state);
        }
    }

    /// Ends the session.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.gate.end();
        wake(state);
    }

    /// Returns what the session may do. The session is woken when that changes, and at the login.
    pub(crate) fn poll_gate(&self, cx: &Context<'_>) -> Gate {
        let mut state = self.state();
        state.wait(cx);
        state.gate.state()
    }

    /// Waits for the login.
    pub(crate) fn poll_login(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.unauthenticated.is_none() {
            return Poll::Ready(());
        }
        state.wait(cx);
        Poll::Pending
    }

    /// Notes that the connection ends. Returns whether this is the first note: only its reason
    /// is counted.
    pub(crate) fn note_end(&self) -> bool {
        !std::mem::replace(&mut self.state().is_ending, true)
    }

    /// Notes that a login is being checked.
    pub(crate) fn login_started(&self) {
        if let Some(unauthenticated) = &self.state().unauthenticated {
            unauthenticated.login_started();
        }
    }

    /// Notes that a login was rejected.
    pub(crate) fn login_failed(&self) {
        if let Some(unauthenticated) = &self.state().unauthenticated {
            unauthenticated.login_failed();
        }
    }

    /// Returns whether a player has logged in.
    pub(crate) fn is_logged_in(&self) -> bool {
        self.state().unauthenticated.is_none()
    }

    /// Notes that a player has logged in. From now on the session applies the limits of players.
    pub(crate) fn log_in(&self) {
        let mut state = self.state();
        let guard = state.unauthenticated.take();
        wake(state);
        drop(guard);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.session {
            Some(known) => known.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }
}

/// Wakes the session after dropping the lock, which the session takes first.
fn wake(mut state: MutexGuard<'_, State>) {
    let session = state.session.take();
    drop(state);
    if let Some(session) = session {
        session.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every connection has one.
    #[test]
    fn slot_is_small() {
        assert!(size_of::<ConnectionSlot>() <= 56, "{} bytes", size_of::<ConnectionSlot>());
    }
}
