//! Authentication of players: passwords, tokens, and the policy server that receives every login.

pub(crate) mod failed_logins;
pub mod passwords;
pub(crate) mod policy;
pub(crate) mod tokens;
