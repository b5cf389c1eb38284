//! Changes that the rules of comparison do not care about.

use crate::Section;
use crate::mutation::Mutation;

/// The rules of `golden/sessions/README.md` that ignore changes.
pub(crate) const RULES: [&str; 0] = [];

/// Returns the rule by which a change does not count.
pub(crate) fn rule(_section: &Section, _mutation: &Mutation) -> Option<&'static str> {
    None
}
