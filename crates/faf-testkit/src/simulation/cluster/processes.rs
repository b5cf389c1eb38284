//! Processes of a cluster: cores and gateways with clocks of their own, and what keeps them from
//! their work.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_cluster::{Core, GatewayId, Link};
use faf_lobby_core::{ConnId, HoldReason};
use faf_protocol::{ClientMessage, CommandError};

use crate::simulation::random::Random;

/// The monotonic clock of a process, which begins anywhere and runs a little too fast or slowly.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocalClock {
    begin: Duration,
    /// Speed in thousandths.
    speed: u32,
    /// The time at which it stands still, for the test of a law.
    pub(super) stopped_at: Option<Duration>,
}

impl LocalClock {
    pub(super) fn new(random: &mut Random) -> Self {
        let begin = random.millis(0..1_000_000);
        Self { begin, speed: random.within(960..1040) as u32, stopped_at: None }
    }

    /// The time that it shows.
    pub(super) fn shows(&self, now: Duration) -> Duration {
        self.begin + self.stopped_at.unwrap_or(now) * self.speed / 1000
    }

    /// The time at which it shows another time, or a little later.
    pub(super) fn when(&self, shown: Duration) -> Duration {
        shown.saturating_sub(self.begin) * 1000 / self.speed + Duration::from_micros(2)
    }
}

/// Faults that keep a process from its work.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// End of the time in which it stands still.
    pub(super) paused_until: Duration,
    /// End of the time in which it does not reach the stream.
    pub(super) cut_until: Duration,
    /// End of the time in which it reads the stream late.
    pub(super) slow_until: Duration,
    /// End of the time in which cores and this gateway do not reach each other.
    pub(super) deaf_until: Duration,
    /// Time of its start, if it does not run.
    pub(super) starts_at: Option<Duration>,
}

impl Faults {
    pub(super) fn is_running(&self) -> bool {
        self.starts_at.is_none()
    }

    /// Returns whether nothing has kept it from its work for a while.
    pub(super) fn is_well(&self, now: Duration) -> bool {
        let end = self.paused_until.max(self.cut_until).max(self.deaf_until).max(self.slow_until);
        self.is_running() && (end.is_zero() || end + Duration::from_secs(3) < now)
    }
}

/// A message on its way to the stream, until it is acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) key: u64,
    pub(super) id: String,
    pub(super) payload: Arc<[u8]>,
}

/// A core with its process.
#[derive(Debug)]
pub(super) struct CoreProcess {
    pub(super) core: Core,
    /// Number of the process, which changes with each start.
    pub(super) generation: u64,
    pub(super) clock: LocalClock,
    pub(super) faults: Faults,
    /// Sequence number of the last message that it has read.
    pub(super) read: u64,
    /// The last message of which it was told that it can be read.
    pub(super) announced: u64,
    pub(super) unacknowledged: VecDeque<Pending>,
    /// Time of the timer that is set.
    pub(super) timer: Option<Duration>,
    /// Whether it ends after it has given the leadership up, and another one goes on from its
    /// snapshot, as in an upgrade.
    pub(super) is_replaced: bool,
}

/// A gateway with its process.
#[derive(Debug)]
pub(super) struct GatewayProcess {
    pub(super) link: Link,
    pub(super) generation: u64,
    pub(super) clock: LocalClock,
    pub(super) faults: Faults,
    pub(super) timer: Option<Duration>,
    pub(super) last_conn: u64,
    /// Number of effects that it has performed as this member.
    pub(super) performed: u64,
    pub(super) wires: BTreeMap<ConnId, Wire>,
    /// Connections that are logged in.
    pub(super) logged_in: BTreeSet<ConnId>,
    /// Connections from which something may be read.
    pub(super) readable: BTreeSet<ConnId>,
    /// Whether it was told to leave.
    pub(super) leaves: bool,
}

impl GatewayProcess {
    pub(super) fn id(&self) -> Option<GatewayId> {
        self.link.gateway()
    }

    /// Ends all connections, and returns the players on them.
    pub(super) fn end_all(&mut self) -> Vec<(ConnId, usize)> {
        self.logged_in.clear();
        self.readable.clear();
        std::mem::take(&mut self.wires).into_iter().map(|(conn, wire)| (conn, wire.player)).collect()
    }
}

/// A connection of a client.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) player: usize,
    pub(super) holds: BTreeSet<HoldReason>,
    /// Whether a message was passed on that is not handled yet.
    pub(super) is_busy: bool,
    pub(super) outgoing: VecDeque<Result<ClientMessage, CommandError>>,
}
