//! The client programs in use: thousands of players use a few programs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A client program, as it introduces itself; the texts may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClientProgram {
    /// Name of the program, if the client has sent one.
    pub user_agent: Option<String>,
    /// Version of the program, if the client has sent one.
    pub version: Option<String>,
}

/// The programs in use, each stored once for all its connections, with their number.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientPrograms(BTreeMap<Arc<ClientProgram>, usize>);

impl ClientPrograms {
    /// Counts one more connection of a program, and returns the copy that all its
    /// connections share.
    pub(crate) fn share(&mut self, program: ClientProgram) -> Arc<ClientProgram> {
        let known = self.0.entry(Arc::new(program));
        let shared = Arc::clone(known.key());
        *known.or_default() += 1;
        shared
    }

    /// Counts one connection less.
    pub(crate) fn release(&mut self, program: &Arc<ClientProgram>) {
        let Some(count) = self.0.get_mut(program) else { return };
        *count -= 1;
        if *count == 0 {
            self.0.remove(program);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_kept_once_and_as_long_as_it_is_used() {
        let program = |name: &str| ClientProgram { user_agent: Some(name.to_owned()), version: None };
        let mut programs = ClientPrograms::default();
        let (ada, bob) = (programs.share(program("one")), programs.share(program("one")));
        assert!(Arc::ptr_eq(&ada, &bob));
        let other = programs.share(program("other"));
        assert_eq!(programs.0.len(), 2);
        programs.release(&ada);
        assert_eq!(programs.0.len(), 2);
        programs.release(&bob);
        // A copy that is still held elsewhere does not keep the program in the list.
        assert_eq!(programs.0.keys().collect::<Vec<_>>(), [&other]);
    }
}
