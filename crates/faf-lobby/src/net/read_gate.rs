//! The read gate: the one place that decides whether the next message of a connection may be read.
//!
//! A connection is read while there is no reason to [hold](Hold) it. Every reason has one owner
//! that clears it:
//!
//! | reason | set by | cleared by |
//! | --- | --- | --- |
//! | [`Hold::InFlight`] | the session, before it submits a message | the loop, after handling it |
//! | [`Hold::Busy`], [`Hold::OverRate`] | the core: `Effect::Hold` | the core: `Effect::Release` |
//! | [`Hold::OwesAnswers`], [`Hold::RelayFull`] | the delivery thread | the delivery thread |
//!
//! The loop and the core clear their reasons through the delivery thread, so that a client is read
//! only after it was sent its replies. Memory for a large message is not a reason here: the reader
//! waits for that inside the message (`faf-connection/src/large_messages.rs`).

use faf_lobby_core::HoldReason;

/// A reason not to read the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// The lobby has not handled the last message yet.
    InFlight = 1,
    /// The command before still waits for its reply, so the next message must wait.
    Busy = 2,
    /// The client sends faster than it may.
    OverRate = 4,
    /// Too many answers wait until the client has read them.
    OwesAnswers = 8,
    /// A message to another player's game waits until that player's connection has room.
    RelayFull = 16,
}

/// The next step of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Read the next message.
    Open,
    /// Wait. `is_handled`: the lobby has handled the last message, whose memory can be released.
    Held { is_handled: bool },
    /// Stop reading: the server is closing the connection.
    Ended,
}

/// The reasons not to read one connection.
#[derive(Debug, Default)]
pub(crate) struct ReadGate {
    holds: u8,
    has_ended: bool,
}

impl ReadGate {
    /// Adds a reason. Has no effect if it is present already.
    pub(crate) fn hold(&mut self, reason: Hold) {
        self.holds |= reason as u8;
    }

    /// Removes a reason. Has no effect if it is not present. Returns whether this changes what the
    /// session may do.
    pub(crate) fn release(&mut self, reason: Hold) -> bool {
        let before = self.state();
        self.holds &= !(reason as u8);
        self.state() != before
    }

    /// Ends the session. No reason prevents that.
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
    fn connection_is_read_while_there_is_no_reason_to_hold_it() {
        let mut gate = ReadGate::default();
        assert_eq!(gate.state(), Gate::Open);
        gate.hold(Hold::InFlight);
        gate.hold(Hold::OwesAnswers);
        gate.hold(Hold::OwesAnswers);
        assert_eq!(gate.state(), Gate::Held { is_handled: false });
        assert!(gate.release(Hold::InFlight), "memory can be released");
        assert_eq!(gate.state(), Gate::Held { is_handled: true });
        assert!(!gate.release(Hold::OverRate), "it makes no difference");
        assert!(gate.release(Hold::OwesAnswers));
        assert_eq!(gate.state(), Gate::Open);
    }

    #[test]
    fn end_overrides_every_reason() {
        let mut gate = ReadGate::default();
        gate.hold(Hold::Busy);
        gate.end();
        assert_eq!(gate.state(), Gate::Ended);
        assert!(!gate.release(Hold::Busy));
        assert_eq!(gate.state(), Gate::Ended);
    }
}
