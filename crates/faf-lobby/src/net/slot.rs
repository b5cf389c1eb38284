//! A place among the connections that are allowed, and what the session on it is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use faf_protocol::websocket::CloseCode;
use tokio::sync::OwnedSemaphorePermit;

use crate::net::unauthenticated::UnauthenticatedGuard;

/// A place among the connections that are allowed. The session holds it, the lobby, and every question that is open for
/// the connection, so that whoever comes and goes quickly cannot leave more work behind than connections are allowed.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    state: Mutex<State>,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct State {
    /// The newest the session has not heard.
    word: Option<Word>,
    /// The session, if it waits.
    session: Option<Waker>,
    /// Its place among those on which nobody has logged in; none when somebody has. Apart, as most slots have none.
    unauthenticated: Option<Box<UnauthenticatedGuard>>,
    /// The connection ends.
    ends: bool,
    /// Why, if the lobby has ended it, until its client is told.
    ending: Option<Box<Ending>>,
}

/// Why the lobby ends a connection, as the close frame of a WebSocket client says it.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) code: CloseCode,
    pub(crate) reason: String,
}

/// What a session is told about its last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// It is dealt with, but the next one is read only later: the client has to take its answers first, or it sends too much.
    DealtWith,
    /// The next one may be read, or the connection is being closed.
    Ready,
}

impl ConnectionSlot {
    pub(crate) fn new(place: OwnedSemaphorePermit, unauthenticated: UnauthenticatedGuard) -> Arc<Self> {
        let state = State {
            word: None,
            session: None,
            unauthenticated: Some(Box::new(unauthenticated)),
            ends: false,
            ending: None,
        };
        Arc::new(Self { state: Mutex::new(state), _place: place })
    }

    /// Tells the session.
    pub(crate) fn tell(&self, word: Word) {
        let mut state = self.state();
        // Whoever is told that the connection ends need not know anything else.
        if state.word != Some(Word::Ready) {
            state.word = Some(word);
        }
        let session = state.session.take();
        drop(state);
        if let Some(session) = session {
            session.wake();
        }
    }

    /// What the session is told; each word once. Only the session waits here.
    pub(crate) fn poll_word(&self, cx: &mut Context<'_>) -> Poll<Word> {
        let mut state = self.state();
        match state.word.take() {
            Some(word) => Poll::Ready(word),
            None => state.wait(cx),
        }
    }

    /// Notes that the connection ends; answers whether nobody has noted that before, and so, whose reason counts.
    pub(crate) fn ends(&self) -> bool {
        !std::mem::replace(&mut self.state().ends, true)
    }

    /// Notes why the connection ends.
    pub(crate) fn set_ending(&self, ending: Ending) {
        self.state().ending = Some(Box::new(ending));
    }

    /// Why the connection ends, if that has been noted.
    pub(crate) fn take_ending(&self) -> Option<Ending> {
        self.state().ending.take().map(|ending| *ending)
    }

    /// Waits until somebody has logged in.
    pub(crate) fn poll_login(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        match state.unauthenticated {
            Some(_) => state.wait(cx),
            None => Poll::Ready(()),
        }
    }

    /// A login is being looked at.
    pub(crate) fn login_started(&self) {
        if let Some(unauthenticated) = &self.state().unauthenticated {
            unauthenticated.login_started();
        }
    }

    /// A login was not accepted.
    pub(crate) fn login_failed(&self) {
        if let Some(unauthenticated) = &self.state().unauthenticated {
            unauthenticated.login_failed();
        }
    }

    /// Whether somebody has logged in.
    pub(crate) fn is_logged_in(&self) -> bool {
        self.state().unauthenticated.is_none()
    }

    /// Somebody has logged in, and the connection may do from now on what only players may.
    pub(crate) fn log_in(&self) {
        let mut state = self.state();
        let unauthenticated = state.unauthenticated.take();
        let session = state.session.take();
        drop(state);
        drop(unauthenticated);
        if let Some(session) = session {
            session.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        match &mut self.session {
            Some(known) => known.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}
