//! Logins of the accounts that bots use.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The logins of bots. A bot that has only a token adds its login when the server welcomes it for
/// the first time.
#[derive(Debug, Default)]
pub struct Logins(Mutex<BTreeSet<String>>);

impl Logins {
    /// Adds the login of a bot, as the server writes it.
    pub fn add(&self, login: &str) {
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !logins.contains(login) {
            logins.insert(login.to_owned());
        }
    }

    /// Returns whether the login is that of a bot.
    #[must_use]
    pub fn contains(&self, login: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(login)
    }
}

impl FromIterator<String> for Logins {
    fn from_iter<I: IntoIterator<Item = String>>(logins: I) -> Self {
        Self(Mutex::new(logins.into_iter().collect()))
    }
}
