//! Whether the next message of a connection may be read: the one place that decides it.
//!
//! A connection is read while nobody [holds](Hold) it. Every reason to hold it has one owner, who sets
//! it and clears it:
//!
//! | reason | set by | cleared by |
//! | --- | --- | --- |
//! | [`Hold::InFlight`] | the session, when it submits a message | the loop, when the lobby has handled it |
//! | [`Hold::Busy`], [`Hold::OverRate`] | the lobby, by `Effect::Hold` | the lobby, by `Effect::Release` |
//! | [`Hold::OwesAnswers`], [`Hold::RelayFull`] | the delivery thread | the delivery thread |
//!
//! What the loop and the lobby clear goes through the delivery thread, so that a client is read only
//! after it was sent its answers. Memory for one large message is another matter: the reader waits for
//! that inside the message (`faf-connection/src/large_messages.rs`).

use std::task::{Context, Waker};

use faf_lobby_core::HoldReason;

/// A reason not to read the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// The lobby has not handled the last message yet.
    InFlight = 1,
    /// Another message waits until the command before it has its reply.
    Busy = 2,
    /// The client sends faster than it may.
    OverRate = 4,
    /// Much of what the client was answered waits until the client has read it.
    OwesAnswers = 8,
    /// A message to another player's game waits until that player's connection has room.
    RelayFull = 16,
}

/// What a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Read the next message.
    Open,
    /// Wait. `is_handled` says that nothing of the last message is needed any more.
    Held { is_handled: bool },
    /// End: the connection is being closed on this side.
    Ended,
}

/// The reasons not to read one connection, and the session that waits.
#[derive(Debug, Default)]
pub(crate) struct ReadGate {
    holds: u8,
    has_ended: bool,
    session: Option<Waker>,
}

impl ReadGate {
    /// Adds a reason. Has no effect if it is there already.
    pub(crate) fn hold(&mut self, reason: Hold) {
        self.holds |= reason as u8;
    }

    /// Removes a reason. Has no effect if it is not there. Returns the session to be woken, if this
    /// makes a difference for it.
    pub(crate) fn release(&mut self, reason: Hold) -> Option<Waker> {
        let before = self.state();
        self.holds &= !(reason as u8);
        if self.state() == before { None } else { self.session.take() }
    }

    /// Ends the session. Returns it to be woken.
    pub(crate) fn end(&mut self) -> Option<Waker> {
        self.has_ended = true;
        self.session.take()
    }

    /// Takes the session that waits, to be woken for another reason.
    pub(crate) fn wake(&mut self) -> Option<Waker> {
        self.session.take()
    }

    /// Returns what the session may do. It is woken when that changes.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Gate {
        match &mut self.session {
            Some(known) => known.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        self.state()
    }

    fn state(&self) -> Gate {
        const UNHANDLED: u8 = Hold::InFlight as u8 | Hold::Busy as u8;

        match self.holds {
            _ if self.has_ended => Gate::Ended,
            0 => Gate::Open,
            holds => Gate::Held { is_handled: holds & UNHANDLED == 0 },
        }
    }
}

impl From<HoldReason> for Hold {
    fn from(reason: HoldReason) -> Self {
        match reason {
            HoldReason::Busy => Self::Busy,
            HoldReason::OverRate => Self::OverRate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(gate: &mut ReadGate) -> Gate {
        gate.poll(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_connection_is_read_while_no_reason_is_left() {
        let mut gate = ReadGate::default();
        assert_eq!(poll(&mut gate), Gate::Open);
        gate.hold(Hold::InFlight);
        gate.hold(Hold::OwesAnswers);
        gate.hold(Hold::OwesAnswers);
        assert_eq!(poll(&mut gate), Gate::Held { is_handled: false });
        assert!(gate.release(Hold::InFlight).is_some(), "memory can be given back");
        assert_eq!(poll(&mut gate), Gate::Held { is_handled: true });
        assert!(gate.release(Hold::OverRate).is_none(), "it makes no difference");
        assert!(gate.release(Hold::OwesAnswers).is_some());
        assert_eq!(poll(&mut gate), Gate::Open);
    }

    #[test]
    fn the_end_counts_more_than_any_reason() {
        let mut gate = ReadGate::default();
        gate.hold(Hold::Busy);
        poll(&mut gate);
        assert!(gate.end().is_some());
        assert_eq!(poll(&mut gate), Gate::Ended);
        assert!(gate.release(Hold::Busy).is_none());
        assert_eq!(poll(&mut gate), Gate::Ended);
    }
}
