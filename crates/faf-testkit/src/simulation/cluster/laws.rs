//! The laws of a cluster, beside those of the lobby in it.

use std::fmt;

use crate::simulation::invariants;

/// Declares the laws, each with a sentence.
macro_rules! laws {
    ($($name:ident: $sentence:literal,)+) => {
        /// A law of a cluster.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ClusterLaw {
            $(#[doc = $sentence] $name,)+
        }

        impl ClusterLaw {
            /// All laws, in the order of this file.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Returns the sentence that states the law.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)+
                }
            }
        }
    };
}

laws! {
    SameState: "Replicas that have applied the same messages are equal, byte for byte.",
    SameWorld: "The world of a replica is the one of a single lobby with the same inputs.",
    SameEffects: "All cores send the same effect under the same number of a gateway's line.",
    ExactlyOnce: "A gateway performs the effects that a single lobby sends its connections, all of them, each once, in order.",
    NewestEpoch: "A gateway performs nothing of an older epoch after it was told of a newer one.",
    OneLeader: "An epoch has one leader, and a leader sends nothing after another core leads, unless it has given the leadership up.",
    MembersStay: "A gateway keeps its connections unless it was out of touch for long, and never loses effects.",
    EverybodyIsServed: "When nothing fails any more, one core leads, every gateway is a member, and every player can log in and is answered.",
    NothingIsKept: "When nothing happens, nothing is kept: no effects, no batches, no reports, no requests.",
    LobbyLaws: "Every law of a single lobby holds.",
    NeverPanics: "Nothing panics.",
}

/// A broken law of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The law that does not hold.
    pub law: ClusterLaw,
    /// Description of the violation.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {} {}", self.law, self.law.sentence(), self.detail)
    }
}

impl std::error::Error for Violation {}

impl From<invariants::Violation> for Violation {
    fn from(violation: invariants::Violation) -> Self {
        Self { law: ClusterLaw::LobbyLaws, detail: violation.to_string() }
    }
}

/// Checks a law: returns a violation unless `holds` is true.
pub(super) fn ensure(holds: bool, law: ClusterLaw, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { law, detail: detail() }) }
}
