//! Identifies which state of a shared list a login receives.

use std::fmt;

/// Identifies the content of one part of a list that all logins share, so that the shell can keep
/// the bytes of the part for the next login.
///
/// All ids are equal and print the same, so that an id takes no part in the comparison of effects
/// or in the hash of a recording: a restored lobby numbers its snapshots from the beginning, and
/// still produces the same effects.
#[derive(Clone, Copy)]
pub struct SnapshotId {
    /// The list.
    pub list: SnapshotList,
    /// The part of the list.
    pub chunk: u64,
    /// The state of the part. A part gets a new version whenever its content changes, and no two
    /// parts of a list ever have the same version.
    pub version: u64,
}

/// A list that is sent at login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SnapshotList {
    /// The players who are online.
    Players,
    /// The games that everyone but the foes of their hosts sees.
    Games,
}

impl PartialEq for SnapshotId {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SnapshotId")
    }
}
