//! The rate at which a client may send: a client faster than any honest one is read more slowly and
//! loses nothing.
//!
//! Every message costs one unit of its class; long ones of some classes cost more. A client may
//! spend a burst at once and gets units back at a rate. A message that costs more than is left is
//! still handled, but the connection is not read again until the debt is paid; meanwhile TCP makes
//! the sender wait. Nothing is refused, so a limit that is met by mistake costs time and nothing
//! else. `limits.rs` has the limits that refuse.
//!
//! A reconnect is not a new burst:
//!
//! - After the login, spending belongs to the player. When the connection ends, the unpaid rest is
//!   kept in [`Unpaid`], and the player's next connection takes it over at its login.
//! - Before the login, it belongs to the address, or to the /64 network for IPv6: a new connection
//!   starts with the largest spending of any connection from there. Attempts to log in count only
//!   if the connection ends without a login, because many players may return to one address at
//!   once. A new connection starts with a debt of two seconds at most, so a neighbour who floods
//!   slows it to the rate but cannot keep it out.
//! - A client whose address is unknown is counted by connection until it logs in.
//!
//! | class | burst | per second | reason |
//! |---|---|---|---|
//! | heartbeat | 500 | 200 | a ping per 5 s at most; answers to pings as often as every 0.01 s |
//! | login | 30 | 1 | one `ask_session` and one login; 20 attempts for a mistyped password |
//! | query | 60 | 5 | five or six right after the login, then now and then one |
//! | list | 60 | 3 | a click each: a friend, an avatar; one download per mod of a joined game |
//! | host | 20 | 0.5 | a click and a dialog; after a refusal the player tries again at once |
//! | join | 30 | 1 | a player who wants to get into a full lobby clicks every other second |
//! | party | 60 | 5 | clicks; vetoes and factions may be sent for every step of a slider |
//! | administration | 100 | 50 | a moderator's script closes the games of many players |
//! | game | 3000 | 200 | options and ICE candidates, see below |
//! | statistics | 32 | 1 | every process sends them once, or each time an army is defeated |
//!
//! Long messages of the last two classes cost more. A host with 16 slots sends 400 options at once,
//! three times over when a map is changed; 15 peers with 50 candidates each are 750 messages.
//! Administration needs no stricter limit: a sender of notices to everyone could do worse anyway.

use std::net::IpAddr;
use std::time::Duration;

use faf_protocol::PlayerId;
use serde::{Deserialize, Serialize};

use crate::network::network;
use crate::state::Remembered;

/// Length in bytes of a game message that costs one unit. ICE candidates and options have some
/// hundred bytes, a few have thousands.
const GAME_MESSAGE: usize = 4096;

/// Number of further bytes of a game message that cost one more unit. Reading a message takes as
/// long as its bytes, so a game may send few very long ones. Fifty candidates in one message to
/// each of fifteen peers are within the burst.
const GAME_UNIT: usize = 64;

/// Number of bytes of statistics that cost one more unit; the statistics of most games are shorter.
const STATISTICS_UNIT: usize = 65_536;

/// Maximum number of players whose unpaid rest is kept. An entry takes about 150 bytes, and expires
/// when it is paid, after 80 s at most.
const PLAYERS: usize = 50_000;

/// Maximum number of addresses whose unpaid rest is kept.
const ADDRESSES: usize = 10_000;

/// Maximum time, in microseconds, that a new connection waits because of the spending of others at
/// its address.
const INHERITED_DEBT: u32 = 2_000_000;

/// Classes of messages by the kind of work that they cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CommandClass {
    /// Pings and their answers.
    Heartbeat,
    /// Everything needed for a login.
    Login,
    /// Queries that are answered from memory or with one read.
    Query,
    /// Writes to the database: friends, foes, avatars, mods.
    List,
    /// Hosting a game.
    Host,
    /// Joining a game.
    Join,
    /// Parties and matchmaking.
    Party,
    /// Commands of administrators and moderators.
    Administration,
    /// Messages of game processes.
    Game,
    /// Statistics of game processes about all units of a game.
    Statistics,
}

/// The rate limit of a class.
struct Limit {
    /// Number of units that may be spent at once.
    burst: u32,
    /// Microseconds until one unit comes back.
    interval: u32,
}

impl CommandClass {
    /// All classes in their order.
    pub const ALL: [Self; 10] = [
        Self::Heartbeat,
        Self::Login,
        Self::Query,
        Self::List,
        Self::Host,
        Self::Join,
        Self::Party,
        Self::Administration,
        Self::Game,
        Self::Statistics,
    ];

    /// Name of the class, for metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Login => "login",
            Self::Query => "query",
            Self::List => "list",
            Self::Host => "host",
            Self::Join => "join",
            Self::Party => "party",
            Self::Administration => "administration",
            Self::Game => "game",
            Self::Statistics => "statistics",
        }
    }

    /// Returns the limit of the table at the head of this file.
    const fn limit(self) -> Limit {
        let (burst, interval) = match self {
            Self::Heartbeat => (500, 5_000),
            Self::Login => (30, 1_000_000),
            Self::Query | Self::Party => (60, 200_000),
            Self::Administration => (100, 20_000),
            Self::List => (60, 333_333),
            Self::Host => (20, 2_000_000),
            Self::Join => (30, 1_000_000),
            Self::Game => (3000, 5_000),
            Self::Statistics => (32, 1_000_000),
        };
        Limit { burst, interval }
    }

    /// Returns the cost, in units, of a message of this many bytes. It is at most a burst, so that
    /// no connection waits longer than the time in which a burst comes back.
    fn units(self, bytes: usize) -> u32 {
        let more = match self {
            Self::Game => bytes.saturating_sub(GAME_MESSAGE).div_ceil(GAME_UNIT),
            Self::Statistics => bytes / STATISTICS_UNIT,
            _ => 0,
        };
        u32::try_from(1 + more).unwrap_or(u32::MAX).min(self.limit().burst)
    }
}

/// The spending of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pacing {
    /// Time of the last update, in microseconds.
    as_of: u64,
    /// Microseconds until everything is paid, for each class: at most two bursts, which are 80 s.
    spent: [u32; CommandClass::ALL.len()],
}

impl Pacing {
    /// Charges the price of a message, and returns whether it exceeds the available units.
    pub(crate) fn spend(&mut self, class: CommandClass, bytes: usize, now: Duration) -> bool {
        self.pay_until(micros(now));
        let Limit { burst, interval } = class.limit();
        let spent = &mut self.spent[class as usize];
        *spent = spent.saturating_add(class.units(bytes) * interval);
        *spent > burst * interval
    }

    fn pay_until(&mut self, now: u64) {
        let passed = u32::try_from(now.saturating_sub(self.as_of)).unwrap_or(u32::MAX);
        self.spent.iter_mut().for_each(|spent| *spent = spent.saturating_sub(passed));
        self.as_of = now;
    }

    /// Returns the larger spending of the two in each class.
    fn most_of(mut self, mut other: Self, now: Duration) -> Self {
        [&mut self, &mut other].into_iter().for_each(|pacing| pacing.pay_until(micros(now)));
        for (own, others) in self.spent.iter_mut().zip(other.spent) {
            *own = others.max(*own);
        }
        self
    }

    /// Returns the spending with the debt of every class limited to [`INHERITED_DEBT`].
    fn with_small_debts(mut self, now: Duration) -> Self {
        self.pay_until(micros(now));
        for (class, spent) in CommandClass::ALL.into_iter().zip(&mut self.spent) {
            let Limit { burst, interval } = class.limit();
            *spent = (burst * interval + INHERITED_DEBT).min(*spent);
        }
        self
    }

    /// Returns the spending as if no login had been attempted.
    pub(crate) fn without_logins(mut self) -> Self {
        self.spent[CommandClass::Login as usize] = 0;
        self
    }

    /// Returns the time at which everything is paid.
    fn paid_at(&self) -> Duration {
        let last = self.spent.iter().max().copied().unwrap_or_default();
        Duration::from_micros(self.as_of + u64::from(last))
    }

    /// Returns the time at which the connection may be read again.
    pub(crate) fn reads_at(&self) -> Duration {
        let debts = CommandClass::ALL.into_iter().zip(self.spent).map(|(class, spent)| {
            let Limit { burst, interval } = class.limit();
            spent.saturating_sub(burst * interval)
        });
        Duration::from_micros(self.as_of + u64::from(debts.max().unwrap_or_default()))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The unpaid spending of connections that have ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Unpaid {
    players: Remembered<PlayerId, Pacing, PLAYERS>,
    addresses: Remembered<IpAddr, Pacing, ADDRESSES>,
}

impl Unpaid {
    /// Returns the spending with which a new connection starts.
    pub(crate) fn of_address(&self, address: Option<IpAddr>, now: Duration) -> Option<Pacing> {
        let (_, pacing) = self.addresses.get(network(address?), now)?;
        Some(pacing.with_small_debts(now))
    }

    /// Removes and returns the spending that a player's last connection has left.
    pub(crate) fn take_over(&mut self, player: PlayerId, now: Duration) -> Pacing {
        self.players.take(player, now).unwrap_or_default()
    }

    /// Keeps the unpaid spending of a connection that ends: a player's, or otherwise the address's.
    pub(crate) fn leave(
        &mut self,
        player: Option<PlayerId>,
        address: Option<IpAddr>,
        pacing: Pacing,
        now: Duration,
    ) {
        match (player, address.map(network)) {
            (Some(player), _) => leave(&mut self.players, player, pacing, now),
            (None, Some(address)) => leave(&mut self.addresses, address, pacing, now),
            (None, None) => {}
        }
    }
}

fn leave<K: Ord + Copy, const MOST: usize>(
    unpaid: &mut Remembered<K, Pacing, MOST>,
    key: K,
    pacing: Pacing,
    now: Duration,
) {
    // Simultaneous connections pay at the same time, so their spending is not added up.
    let before = unpaid.get(key, now).map_or(pacing, |(_, before)| *before);
    let pacing = pacing.most_of(before, now);
    unpaid.put(key, pacing, pacing.paid_at(), now);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_spending_of_a_connection_is_small() {
        assert_eq!(size_of::<Pacing>(), 48);
    }

    #[test]
    fn classes_are_listed_in_their_order() {
        for (place, class) in CommandClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, place);
        }
    }

    #[test]
    fn a_burst_is_free_and_then_the_rate_counts() {
        for class in CommandClass::ALL {
            let Limit { burst, interval } = class.limit();
            let (mut pacing, start) = (Pacing::default(), SECOND * 1000);
            for _ in 0..burst {
                assert!(!pacing.spend(class, 0, start), "{class:?}");
                assert!(pacing.reads_at() <= start);
            }
            let mut now = start;
            for _ in 0..100 {
                assert!(pacing.spend(class, 0, now), "{class:?}");
                now = pacing.reads_at();
            }
            assert_eq!(now - start, Duration::from_micros(100 * u64::from(interval)), "{class:?}");
            // Unspent units come back, up to a burst.
            now += Duration::from_micros(u64::from(interval)) * 10;
            (0..10).for_each(|_| assert!(!pacing.spend(class, 0, now), "{class:?}"));
            assert!(pacing.spend(class, 0, now), "{class:?}");
        }
    }

    #[test]
    fn the_wait_is_bounded_for_messages_of_any_length() {
        for class in CommandClass::ALL {
            let mut pacing = Pacing::default();
            for _ in 0..10_000 {
                if pacing.spend(class, usize::MAX, SECOND) {
                    break;
                }
            }
            assert!(pacing.reads_at() <= SECOND * 60, "{class:?} waits until {:?}", pacing.reads_at());
        }
    }
}
