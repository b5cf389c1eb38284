//! What proves who a player is: passwords, tokens, and the policy server that hears of every login.

pub(crate) mod failed_logins;
pub mod passwords;
pub(crate) mod policy;
pub(crate) mod tokens;
