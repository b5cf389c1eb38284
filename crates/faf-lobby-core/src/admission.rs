//! Who may come in: between accepted credentials and the question that signs a player in stands a queue.
//!
//! To sign in is a write to the database, and what follows is the most that a lobby says to anybody. When thousands come back
//! at once, as after a restart, they come in at a rate that leaves time for those who are there already.
//!
//! ```text
//! credentials are right --> the queue, by address --> at most LOGINS_AT_ONCE questions, --> online
//!                           one after the other       at most login_rate a second
//! ```
//!
//! Addresses take turns, so whoever comes with many connections waits behind his own. A connection has at most one place,
//! because it is busy as long as it waits; so there are never more than there are connections, which the server limits.

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

/// Sign-ins that may be under way. The database writes one after the other, so more would only wait there instead of here.
pub(crate) const LOGINS_AT_ONCE: usize = 64;

/// Time between two looks at those who wait: short for a player, and long enough not to wake the server for each of them.
const STEP: Duration = Duration::from_millis(10);

/// Part of a second whose logins may be let in at once.
const BURST: u32 = 10;

/// Everybody who waits to be signed in, or just is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Admission {
    waiting: BTreeMap<ConnId, Waiting>,
    /// Who waits at an address, in the order they came.
    queues: BTreeMap<IpAddr, BTreeMap<u64, ConnId>>,
    /// How many have ever waited.
    last: u64,
    /// The address whose turn was last.
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

/// When the next one may be let in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Pace {
    /// When all would be in who are, if they had come in evenly.
    even: Duration,
}

impl Pace {
    /// Lets one in, or says when that is possible.
    fn let_in(&mut self, now: Duration, rate: u32) -> Result<(), Duration> {
        let interval = Duration::from_secs(1) / rate.max(1);
        // However low the rate, one at a time is let in.
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
        // Those of whom nobody knows from where they come share one address.
        let address = address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), network);
        self.last += 1;
        let number = self.last;
        self.waiting.insert(conn, Waiting { address, number, state });
        self.queues.entry(address).or_default().insert(number, conn);
    }

    /// Takes a connection out of the queue, if it waits.
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

    /// Whose turn it is: the first one at the next address.
    fn next(&mut self) -> Option<(ConnId, LoggingIn)> {
        let behind = self.turn.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.queues.range((behind, Bound::Unbounded)).next().or_else(|| self.queues.iter().next());
        let (address, queue) = next?;
        let (address, conn) = (*address, *queue.values().next()?);
        self.turn = Some(address);
        Some((conn, self.remove(conn)?))
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_waiting(&self, conn: ConnId) -> bool {
        self.waiting.contains_key(&conn)
    }

    /// Whether nobody is on the way in.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.queues.is_empty()
    }
}

impl World {
    /// How many players have proven who they are and wait to be signed in.
    #[must_use]
    pub fn waiting_logins(&self) -> usize {
        self.admission.waiting()
    }

    /// Signs a player in when it is his turn.
    pub(crate) fn queue_login(&mut self, conn: ConnId, state: LoggingIn) {
        let address = self.session(conn).address;
        self.admission.push(conn, address, state);
        self.admit();
        if self.admission.is_waiting(conn) {
            self.count(Count::LoginWaits);
        }
    }

    /// Lets in as many as may be.
    pub(crate) fn admit(&mut self) {
        // A sign-in counts until its reply comes, even if its connection has ended: the database still works on it.
        while !self.has_stopped()
            && self.pending.sign_in.len() < LOGINS_AT_ONCE
            && self.admission.waiting() > 0
        {
            let now = self.now.elapsed;
            if let Err(earliest) = self.admission.pace.let_in(now, self.settings.login_rate) {
                if !std::mem::replace(&mut self.admission.is_timer_set, true) {
                    let due = next_on_grid(earliest.saturating_sub(Duration::from_nanos(1)), STEP);
                    self.timers.set(due, Timer::Admission);
                }
                return;
            }
            let Some((conn, state)) = self.admission.next() else { return };
            // It returns what a command would: that the connection waits, as it did in the queue.
            let _ = self.sign_in(conn, state);
        }
    }

    /// It is time to let in more.
    pub(crate) fn admission_is_due(&mut self) {
        self.admission.is_timer_set = false;
        self.admit();
    }

    /// Requests everything about a player who has been let in.
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

    /// How many are let in within a second if somebody looks every step, and how many at once.
    fn let_in(rate: u32) -> (u32, u32) {
        let mut pace = Pace::default();
        let (mut sum, mut first, mut now) = (0, None, SECOND * 5);
        while now < SECOND * 6 {
            let mut count = 0;
            while pace.let_in(now, rate).is_ok() {
                count += 1;
            }
            first.get_or_insert(count);
            sum += count;
            now += STEP;
        }
        (sum, first.unwrap_or_default())
    }

    #[test]
    fn a_tenth_of_a_second_may_come_at_once() {
        for rate in [20, 100, 1000, 2500, 100_000, 1_000_000] {
            let (sum, first) = let_in(rate);
            assert_eq!(first, rate / BURST);
            // The burst comes on top, once.
            let most = rate + rate / BURST;
            assert!((most - most / 50 - 1..=most).contains(&sum), "{sum} at a rate of {rate}");
        }
        for rate in [1, 2, 9] {
            assert_eq!(let_in(rate), (rate, 1));
        }
    }

    #[test]
    fn the_next_one_is_let_in_when_it_is_said() {
        for rate in [1, 7, 2500, 1_000_000] {
            let mut pace = Pace::default();
            while pace.let_in(SECOND, rate).is_ok() {}
            let Err(earliest) = pace.clone().let_in(SECOND, rate) else { panic!("it is not exhausted") };
            assert!(pace.clone().let_in(earliest - Duration::from_nanos(1), rate).is_err());
            assert_eq!(pace.let_in(earliest, rate), Ok(()));
        }
    }
}
