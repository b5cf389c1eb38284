//! Identifies which state of a shared list a login receives.

/// Identifies the content of one part of a list that all logins share, so that the shell can keep
/// the bytes of the part for the next login.
///
/// A lobby that was written and read again numbers its snapshots from the beginning, and yet does
/// the same. A comparison of the effects of two lobbies therefore leaves the ids out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
