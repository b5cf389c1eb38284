//! The queue of players who wait to be signed in.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Bound;
use std::time::Duration;

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

use crate::io::conn::ConnId;
use crate::io::metric::LoginMethod;
use crate::network::network;

/// Part of a second whose logins may be admitted at once.
const BURST: u32 = 10;

/// The queue.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Admission {
    waiting: BTreeMap<ConnId, Waiting>,
    /// The connections that wait at an address, in the order they came.
    queues: BTreeMap<IpAddr, BTreeMap<u64, ConnId>>,
    /// How many have ever waited.
    last: u64,
    /// The address whose turn was last.
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

/// The rate at which logins are admitted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Pace {
    /// Theoretical arrival time (GCRA): when the next login would be due at an even rate.
    even: Duration,
}

impl Pace {
    /// Admits one login, or returns when that is possible.
    pub(crate) fn let_in(&mut self, now: Duration, rate: u32) -> Result<(), Duration> {
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
    pub(crate) fn push(&mut self, conn: ConnId, address: Option<IpAddr>, state: LoggingIn) {
        // Connections whose address is unknown share one.
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

    /// Takes the next connection: the first one at the next address.
    pub(crate) fn next(&mut self) -> Option<(ConnId, LoggingIn)> {
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

/// Remembered while a player is signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoggingIn {
    pub(crate) method: LoginMethod,
    pub(crate) player: PlayerId,
    pub(crate) login: String,
    pub(crate) unique_id: String,
    /// The player was rated or banned while the profile was read, which may lack that.
    pub(crate) is_outdated: bool,
}

impl LoggingIn {
    /// The player who is logging in.
    pub(crate) fn player(&self) -> PlayerId {
        self.player
    }

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

    /// How many are let in within a second if somebody looks every step, and how many at once.
    pub(crate) fn let_in(rate: u32) -> (u32, u32) {
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
