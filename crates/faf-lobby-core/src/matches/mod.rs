//! Matches: from the round that makes one to the launch of its game, or to its failure
//! (matchmaking.md sections 8 and 9).
//!
//! ```text
//!   begin ----> opened ----------> host_is_ready ---------> launched
//!     |           |                  |                        the game goes on like any other
//!     |           | host offline,    | a guest is offline,
//!     |           | no map           | a process ends, time is up
//!     v           v                  v
//!   fail: match_cancelled to all players, a violation for those to blame
//! ```

mod beginning;
mod blame;
mod failure;
mod launching;

pub(crate) use beginning::begin;
pub(crate) use failure::{cancel_all, judge_accused};
pub(crate) use launching::{
    host_is_ready, launched, may_launch, phase_is_over, player_left, player_lost, record_peer, record_status,
};
