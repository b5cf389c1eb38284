//! Recorded conversations between clients and a lobby server, and the rules by which two of them
//! are compared.
//!
//! * [`transcript`] is the format of short scripted sessions, as in `golden/sessions`: one file of
//!   JSON lines, with barriers at which everything has been received.
//! * [`recording`] is the format of whole evenings, as `faf-wire tap` records them.
//! * [`compare`] finds the differences between what was received and what should have been. These
//!   are the only rules of comparison in this repository.
//! * [`rotation`] and [`secrets`] are shared by the programs that record: files of which the oldest
//!   are removed, and digests in place of secrets.
//! * [`differences`] decides which of them are deliberate.
//!
//! Nothing here opens a socket or reads a clock.

pub mod compare;
pub mod differences;
pub mod recording;
pub mod rotation;
pub mod secrets;
pub mod transcript;
