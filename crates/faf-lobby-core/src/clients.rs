//! The programs that players use: thousands of players, and a few programs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A client program. It says so itself, so it can be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Client {
    /// Its name, if it has told one.
    pub user_agent: Option<String>,
    /// Its version, if it has told one.
    pub version: Option<String>,
}

/// Those that are in use, each kept once for all connections, and how many use it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clients(BTreeMap<Arc<Client>, usize>);

impl Clients {
    /// The one that all who use the same program share. One connection more uses it.
    pub(crate) fn share(&mut self, client: Client) -> Arc<Client> {
        let known = self.0.entry(Arc::new(client));
        let shared = Arc::clone(known.key());
        *known.or_default() += 1;
        shared
    }

    /// A connection does not use it any more.
    pub(crate) fn give_back(&mut self, client: &Arc<Client>) {
        let Some(count) = self.0.get_mut(client) else { return };
        *count -= 1;
        if *count == 0 {
            self.0.remove(client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_kept_once_and_as_long_as_it_is_used() {
        let program = |name: &str| Client { user_agent: Some(name.to_owned()), version: None };
        let mut clients = Clients::default();
        let (ada, bob) = (clients.share(program("one")), clients.share(program("one")));
        assert!(Arc::ptr_eq(&ada, &bob));
        let other = clients.share(program("other"));
        assert_eq!(clients.0.len(), 2);
        clients.give_back(&ada);
        assert_eq!(clients.0.len(), 2);
        clients.give_back(&bob);
        // Whoever still looks at it does not keep it here.
        assert_eq!(clients.0.keys().collect::<Vec<_>>(), [&other]);
    }
}
