//! The rules of signing in: from credentials to a player who is online.

pub(crate) mod admission;
pub(crate) mod bans;
pub(crate) mod login;
