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

/// The reasons not to read one connection.
#[derive(Debug, Default)]
pub(crate) struct ReadGate {
    holds: u8,
    has_ended: bool,
}

impl ReadGate {
    /// Adds a reason. Has no effect if it is there already.
    pub(crate) fn hold(&mut self, reason: Hold) {
        self.holds |= reason as u8;
    }

    /// Removes a reason. Has no effect if it is not there. Returns whether this makes a difference for
    /// the session.
    pub(crate) fn release(&mut self, reason: Hold) -> bool {
        let before = self.state();
        self.holds &= !(reason as u8);
        self.state() != before
    }

    /// Ends the session, whatever reasons there are.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Returns what the session may do.
    pub(crate) fn state(&self) -> Gate {
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

    #[test]
    fn connection_is_read_while_no_reason_is_left() {
        let mut gate = ReadGate::default();
        assert_eq!(gate.state(), Gate::Open);
        gate.hold(Hold::InFlight);
        gate.hold(Hold::OwesAnswers);
        gate.hold(Hold::OwesAnswers);
        assert_eq!(gate.state(), Gate::Held { is_handled: false });
        assert!(gate.release(Hold::InFlight), "memory can be given back");
        assert_eq!(gate.state(), Gate::Held { is_handled: true });
        assert!(!gate.release(Hold::OverRate), "it makes no difference");
        assert!(gate.release(Hold::OwesAnswers));
        assert_eq!(gate.state(), Gate::Open);
    }

    #[test]
    fn end_counts_more_than_any_reason() {
        let mut gate = ReadGate::default();
        gate.hold(Hold::Busy);
        gate.end();
        assert_eq!(gate.state(), Gate::Ended);
        assert!(!gate.release(Hold::Busy));
        assert_eq!(gate.state(), Gate::Ended);
    }
}
