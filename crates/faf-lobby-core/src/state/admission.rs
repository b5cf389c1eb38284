//! Admission: the queue between accepted credentials and the request that signs a player in.
//!
//! Signing in writes to the database, and is followed by the largest messages that the lobby sends
//! to a single client. When thousands reconnect at once, as after a restart, they are admitted at a
//! rate that leaves time for the players who are online already.
//!
//! ```text
//! credentials accepted --> the queue, by address --> at most LOGINS_AT_ONCE requests --> online
//!                          in order of arrival       at most login_rate per second
//! ```
//!
//! Addresses take turns, so a client with many connections only delays its own. A connection is
//! busy while it waits, so it has at most one place, and there are never more places than
//! connections, which the server limits.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Bound;
use std::time::Duration;

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

use crate::io::{ConnId, LoginMethod};
use crate::network::network;

/// Burst: a second's logins divided by this may be admitted at once. Players who are online wait
/// that long for the lobby; with a tenth of a second, their pings took twice as long.
const BURST: u32 = 50;

/// Players who wait to be signed in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Admission {
    waiting: BTreeMap<ConnId, Waiting>,
    /// Waiting connections of each address, by order of arrival.
    queues: BTreeMap<IpAddr, BTreeMap<u64, ConnId>>,
    /// Number of connections that have ever waited, which is the number of the last one.
    last: u64,
    /// Address of the connection that was admitted last.
    turn: Option<IpAddr>,
    pub(crate) pace: Pace,
    pub(crate) is_timer_set: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waiting {
    address: IpAddr,
    number: u64,
    state: LoggingIn,
}

/// The rate limiter (GCRA): decides when the next login may be admitted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Pace {
    /// Theoretical arrival time (GCRA): when the next login would be due at an even rate.
    even: Duration,
}

impl Pace {
    /// Admits one login, or returns the time at which that is possible.
    pub(crate) fn admit_one(&mut self, now: Duration, rate: u32) -> Result<(), Duration> {
        let interval = Duration::from_secs(1) / rate.max(1);
        // At least one at a time, however low the rate.
        let ahead = interval * (rate / BURST).max(1);
        let even = self.even.max(now) + interval;
        match even.checked_sub(ahead) {
            Some(earliest) if earliest > now => Err(earliest),
            _ => {
                self.even = even;
                Ok(())
            }
        }
    }
}

impl Admission {
    pub(crate) fn push(&mut self, conn: ConnId, address: Option<IpAddr>, state: LoggingIn) {
        // Connections whose address is unknown share one queue.
        let address = address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), network);
        self.last += 1;
        let number = self.last;
        self.waiting.insert(conn, Waiting { address, number, state });
        self.queues.entry(address).or_default().insert(number, conn);
    }

    /// Removes a connection from the queue, if it waits.
    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<LoggingIn> {
        let Waiting { address, number, state } = self.waiting.remove(&conn)?;
        if let Some(queue) = self.queues.get_mut(&address) {
            queue.remove(&number);
            if queue.is_empty() {
                self.queues.remove(&address);
            }
        }
        Some(state)
    }

    /// Takes the next connection: the first one of the address after the last one admitted from.
    pub(crate) fn next(&mut self) -> Option<(ConnId, LoggingIn)> {
        let after_last = self.turn.map_or(Bound::Unbounded, Bound::Excluded);
        let next =
            self.queues.range((after_last, Bound::Unbounded)).next().or_else(|| self.queues.iter().next());
        let (address, queue) = next?;
        let (address, conn) = (*address, *queue.values().next()?);
        self.turn = Some(address);
        Some((conn, self.remove(conn)?))
    }

    /// Number of connections that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_waiting(&self, conn: ConnId) -> bool {
        self.waiting.contains_key(&conn)
    }

    /// Returns whether no login is waiting.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.queues.is_empty()
    }
}

/// Memo of a sign-in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoggingIn {
    pub(crate) method: LoginMethod,
    pub(crate) player: PlayerId,
    pub(crate) login: String,
    pub(crate) unique_id: String,
    /// Whether the player was rated or banned while the profile was read, which may lack that.
    pub(crate) is_outdated: bool,
}

impl LoggingIn {
    /// Marks a profile that is being read as outdated, if it is this player's.
    pub(crate) fn rated(&mut self, player: PlayerId) {
        self.is_outdated |= self.player == player;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const STEP: Duration = Duration::from_millis(10);

    /// Returns the number of logins admitted within a second if the queue is checked every step,
    /// and the number at the first check.
    fn admit_one(rate: u32) -> (u32, u32) {
        let mut pace = Pace::default();
        let (mut sum, mut first, mut now) = (0, None, SECOND * 5);
        while now < SECOND * 6 {
            let mut count = 0;
            while pace.admit_one(now, rate).is_ok() {
                count += 1;
            }
            first.get_or_insert(count);
            sum += count;
            now += STEP;
        }
        (sum, first.unwrap_or_default())
    }

    #[test]
    fn the_logins_of_a_fiftieth_of_a_second_are_admitted_at_once() {
        for rate in [20, 100, 1000, 2500, 100_000, 1_000_000] {
            let (sum, first) = admit_one(rate);
            let burst = (rate / BURST).max(1);
            assert_eq!(first, burst);
            // The burst comes on top, once.
            let most = rate + burst;
            assert!((most - most / 50 - 1..=most).contains(&sum), "{sum} at a rate of {rate}");
        }
        for rate in [1, 2, 9] {
            assert_eq!(admit_one(rate), (rate, 1));
        }
    }

    #[test]
    fn the_next_login_is_admitted_at_the_returned_time() {
        for rate in [1, 7, 2500, 1_000_000] {
            let mut pace = Pace::default();
            while pace.admit_one(SECOND, rate).is_ok() {}
            let Err(earliest) = pace.clone().admit_one(SECOND, rate) else { panic!("it is not exhausted") };
            assert!(pace.clone().admit_one(earliest - Duration::from_nanos(1), rate).is_err());
            assert_eq!(pace.admit_one(earliest, rate), Ok(()));
        }
    }
}
