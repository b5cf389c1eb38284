//! How long operations take, by family: for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets, in milliseconds; operations that take longer than the last are in
/// one more bucket.
pub const BUCKETS: [u64; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000];

macro_rules! families {
    ($($(#[$doc:meta])* $family:ident $name:literal,)*) => {
        /// A family of operations.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Family { $( $(#[$doc])* $family, )* }

        impl Family {
            /// All families.
            pub const ALL: &[Self] = &[$(Self::$family),*];

            /// Returns the name of the family in metrics and logs.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$family => $name,)* }
            }
        }
    };
}

families! {
    /// Accounts and logins.
    Accounts "accounts",
    /// Bans from the lobby.
    Bans "bans",
    /// Operators' orders, and bans made by other services.
    Orders "orders",
    /// Profiles of players at login.
    Profiles "profiles",
    /// Friends and foes.
    Social "social",
    /// Avatars of players.
    Avatars "avatars",
    /// Permissions of administrators and moderators.
    Permissions "permissions",
    /// The vault of mods.
    ModVault "mod_vault",
    /// Maps and missions.
    Maps "maps",
    /// Queues of the matchmaker.
    Queues "queues",
    /// Initial state of a lobby.
    Startup "startup",
    /// Attempts to join games.
    Joins "joins",
    /// Lists of launched games.
    History "history",
    /// Messages for other services.
    Outbox "outbox",
    /// Operations on the database as a whole.
    Upkeep "upkeep",
    /// Writes about games.
    Games "games",
}

/// Number and duration of the operations of all families. The time in which an operation waits for
/// its turn does not count.
#[derive(Debug, Default)]
pub struct Timings([FamilyTimings; Family::ALL.len()]);

/// Number and duration of the operations of a family.
#[derive(Debug, Default)]
pub struct FamilyTimings {
    /// Number of operations by [`BUCKETS`]; each is in one bucket only.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    microseconds: AtomicU64,
    failures: AtomicU64,
}

impl Timings {
    /// Returns the figures of a family.
    #[must_use]
    pub fn of(&self, family: Family) -> &FamilyTimings {
        &self.0[family as usize]
    }

    pub(crate) fn record(&self, family: Family, took: Duration, failed: bool) {
        let timings = self.of(family);
        let milliseconds = took.as_millis();
        let bucket =
            BUCKETS.iter().position(|bound| milliseconds < u128::from(*bound)).unwrap_or(BUCKETS.len());
        timings.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        timings.microseconds.fetch_add(microseconds, Ordering::Relaxed);
        timings.failures.fetch_add(u64::from(failed), Ordering::Relaxed);
    }
}

impl FamilyTimings {
    /// Returns the number of operations in each bucket of [`BUCKETS`], and in the one beyond.
    #[must_use]
    pub fn buckets(&self) -> [u64; BUCKETS.len() + 1] {
        self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed))
    }

    /// Returns the number of operations, failed or not.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets().iter().sum()
    }

    /// Returns the number of failed operations, contradictions included.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Returns the sum of the durations.
    #[must_use]
    pub fn total(&self) -> Duration {
        Duration::from_micros(self.microseconds.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_counted_once() {
        let timings = Timings::default();
        for (milliseconds, failed) in [(0, false), (1, true), (9, false), (20_000, false)] {
            timings.record(Family::Games, Duration::from_millis(milliseconds), failed);
        }
        let games = timings.of(Family::Games);
        assert_eq!((games.count(), games.failures()), (4, 1));
        assert_eq!(games.total(), Duration::from_millis(20_010));
        assert_eq!(games.buckets(), [1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(timings.of(Family::Bans).count(), 0);
    }
}
