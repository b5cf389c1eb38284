//! Authentication of players: passwords, tokens, the login page of the browser, and the policy
//! server that receives every login.

pub(crate) mod failed_logins;
pub(crate) mod pages;
pub mod passwords;
pub(crate) mod policy;
pub(crate) mod tokens;
