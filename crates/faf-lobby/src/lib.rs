//! soon
pub mod exit_code;
pub mod passwords;
pub mod settings;
pub mod store;
