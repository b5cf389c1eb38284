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
//! Addresses take turns, so a client with many connections waits only behind its own. A connection
//! has at most one place, because it is busy while it waits. So there are never more places than
//! connections, which the server limits.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Bound;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::next_on_grid;
use crate::commands::Progress;
use crate::effect::Count;
use crate::event::ConnId;
use crate::io::request::SignIn;
use crate::login::LoggingIn;
use crate::network::network;
use crate::refusal::Refusal;
use crate::timers::Timer;
use crate::world::World;

/// Maximum number of sign-ins in flight. The database writes one after the other, so more would
/// only wait there instead of here.
pub(crate) const LOGINS_AT_ONCE: usize = 64;

/// Time between two checks of the queue: short for a player, but long enough not to wake the server
/// for each of them.
const STEP: Duration = Duration::from_millis(10);

/// Fraction of a second whose logins may be admitted at once.
const BURST: u32 = 10;

/// Players who wait to be signed in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Admission {
    waiting: BTreeMap<ConnId, Waiting>,
    /// Waiting connections of each address, by order of arrival.
    queues: BTreeMap<IpAddr, BTreeMap<u64, ConnId>>,
    /// Number of connections that have ever waited; the number of the last one.
    last: u64,
    /// Address that was admitted from last.
    turn: Option<IpAddr>,
    pace: Pace,
    is_timer_set: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waiting {
    address: IpAddr,
    number: u64,
    state: LoggingIn,
}

/// The rate limiter (GCRA): decides when the next login may be admitted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Pace {
    /// Theoretical arrival time: when the next login would be due at an even rate.
    even: Duration,
}

impl Pace {
    /// Admits one login, or returns the time at which that is possible.
    fn admit_one(&mut self, now: Duration, rate: u32) -> Result<(), Duration> {
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
    fn push(&mut self, conn: ConnId, address: Option<IpAddr>, state: LoggingIn) {
        // All clients of unknown address share one queue.
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
    fn next(&mut self) -> Option<(ConnId, LoggingIn)> {
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

impl World {
    /// Number of players with accepted credentials who wait to be signed in.
    #[must_use]
    pub fn waiting_logins(&self) -> usize {
        self.admission.waiting()
    }

    /// Signs a player in when it is their turn.
    pub(crate) fn queue_login(&mut self, conn: ConnId, state: LoggingIn) {
        let address = self.session(conn).address;
        self.admission.push(conn, address, state);
        self.admit();
        if self.admission.is_waiting(conn) {
            self.count(Count::LoginWaits);
        }
    }

    /// Admits as many players as the limits allow.
    pub(crate) fn admit(&mut self) {
        // A sign-in counts until its reply arrives, even if its connection has ended, because the
        // database still works on it.
        while !self.has_stopped()
            && self.pending.sign_in.len() < LOGINS_AT_ONCE
            && self.admission.waiting() > 0
        {
            let now = self.now.elapsed;
            if let Err(earliest) = self.admission.pace.admit_one(now, self.settings.login_rate) {
                if !std::mem::replace(&mut self.admission.is_timer_set, true) {
                    let due = next_on_grid(earliest.saturating_sub(Duration::from_nanos(1)), STEP);
                    self.timers.set(due, Timer::Admission);
                }
                return;
            }
            let Some((conn, state)) = self.admission.next() else { return };
            // The result says that the connection waits, which it already did in the queue.
            let _ = self.sign_in(conn, state);
        }
    }

    /// Handles the admission timer.
    pub(crate) fn admission_is_due(&mut self) {
        self.admission.is_timer_set = false;
        self.admit();
    }

    /// Requests everything about a player who has been admitted.
    pub(crate) fn sign_in(&mut self, conn: ConnId, memo: LoggingIn) -> Result<Progress, Refusal> {
        self.restart_login_timeout(conn);
        let session = self.session(conn);
        let (address, user_agent) = (session.address, session.client.user_agent.clone());
        self.request(conn, SignIn { player: memo.player(), address, user_agent }, memo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The number of logins admitted within a second if the queue is checked every step, and the
    /// number at the first check.
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
    fn the_logins_of_a_tenth_of_a_second_are_admitted_at_once() {
        for rate in [20, 100, 1000, 2500, 100_000, 1_000_000] {
            let (sum, first) = admit_one(rate);
            assert_eq!(first, rate / BURST);
            // The burst comes on top, once.
            let most = rate + rate / BURST;
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
