//! The memory that connections share for large messages.
//!
//! 1. Every connection may hold [`FREE`] bytes of an unfinished message. For more, it takes a part of a
//!    pot, and is not read until it has one. All parts of a pot have the same size, four times that of
//!    the previous pot. A message starts with the smallest part that it needs; when that is full, it
//!    takes a part of the next pot and gives the first one back. So a message takes memory as it
//!    arrives, whatever it may become. A connection that holds a part only ever waits for a larger
//!    one, so there is no deadlock.
//! 2. Half of the memory is in pots for messages of up to [`SMALL`] bytes, more than honest peers send.
//!    These never wait for larger ones: a message that announces a larger size starts in the larger
//!    pots, and one that turns out larger is ended if it cannot grow while another waits for its part.
//! 3. One address gets at most a quarter of each pot. A connection that waits for more of it holds up
//!    nobody else, and nobody loses a message for it.
//! 4. The holder of a part must send at a least rate, measured every [`WINDOW`]. A slower one is ended at
//!    once if another connection waits for its part, and otherwise after [`PATIENCE`] windows in a row. At
//!    the least rate, a message may take as long as it needs.
//!
//! Together, connections receive no more than all pots and [`FREE`] bytes each. Their buffers may
//! be up to twice as large. To decode a message takes as much again for a moment, for one message
//! at a time on each thread.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::running_time::RunningSleep;

/// Bytes of an unfinished message that every connection may hold: 16 KiB. Nearly all messages are
/// smaller, and never wait.
pub const FREE: usize = 16 * 1024;

/// Messages of up to this many bytes have memory of their own: 512 KiB. Games send some tens of
/// KiB.
pub const SMALL: usize = 512 * 1024;

/// The parts of the first pot, in bytes.
const SMALLEST: usize = 32 * 1024;

/// How many times as large the parts of each pot are as those of the pot before.
const GROWTH: usize = 4;

/// An address gets this part of each pot at most, but one part always.
const ADDRESSES: usize = 4;

/// How often it is looked at how much has come: every 2 s.
pub const WINDOW: Duration = Duration::from_secs(2);

/// So many times in a row too little may have come if nobody waits for the memory: a line that is
/// down for some seconds comes back.
pub const PATIENCE: u32 = 3;

/// Memory for messages of more than [`FREE`] bytes that are not finished, or not dealt with.
#[derive(Debug)]
pub struct LargeMessages {
    /// By the size of their parts.
    pots: Vec<Arc<Pot>>,
    /// Bytes that have to come in a window.
    least: u64,
}

/// Memory for parts of one size.
#[derive(Debug)]
struct Pot {
    /// The size of a part, in bytes; a message that needs less of it takes less.
    part: usize,
    /// In bytes.
    all: usize,
    /// Most for an address, in bytes.
    share: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    addresses: HashMap<IpAddr, usize>,
    /// In the order of asking. Those whose connection has ended are passed over.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    bytes: usize,
    address: Option<IpAddr>,
    granted: oneshot::Sender<Part>,
}

/// A part of a pot; it goes back when this is dropped.
#[derive(Debug)]
struct Part {
    bytes: usize,
    address: Option<IpAddr>,
    pot: Arc<Pot>,
}

/// The memory that one message holds.
#[derive(Debug)]
pub(crate) struct Allowance {
    part: Part,
    is_last: bool,
    window: RunningSleep,
    /// How far the message had come when the window began.
    seen: u64,
    /// Windows in a row in which too little has come.
    behind: u32,
}

impl LargeMessages {
    /// So many bytes of memory, for messages of at most `largest` bytes, which come with at least
    /// `rate` bytes a second.
    ///
    /// There is always enough for one message of every size; that is up to four times the largest.
    #[must_use]
    pub fn new(bytes: usize, largest: usize, rate: usize) -> Arc<Self> {
        let sizes = std::iter::successors(Some(SMALLEST), |size| size.checked_mul(GROWTH));
        let mut sizes: Vec<_> = sizes.take_while(|size| *size < largest).collect();
        sizes.push(largest);
        let (small, large): (Vec<_>, Vec<_>) = sizes.into_iter().partition(|size| *size <= SMALL);
        let halves = if small.is_empty() || large.is_empty() { 1 } else { 2 };
        let pots = |sizes: Vec<usize>| {
            let rest = (bytes / halves).saturating_sub(sizes.iter().sum()) / sizes.len().max(1);
            sizes.into_iter().map(move |part| Arc::new(Pot::new(part, part + rest)))
        };
        let pots = pots(small).chain(pots(large)).collect();
        Arc::new(Self { pots, least: rate as u64 * WINDOW.as_secs() })
    }

    /// How much is taken, in bytes.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.pots.iter().map(|pot| pot.lock().taken).sum()
    }

    /// Takes a part for a message of which so much has been received, which becomes so large at
    /// most, and has come so `far`.
    pub(crate) fn take(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        received: usize,
        at_most: usize,
        far: u64,
    ) -> impl Future<Output = Allowance> + Send + use<> {
        let fits = |pot: &Arc<Pot>| {
            pot.part > received && (at_most <= SMALL || !is_announced(at_most, self) || pot.part > SMALL)
        };
        let number = self.pots.iter().position(fits).unwrap_or(self.pots.len() - 1);
        let is_last = number + 1 == self.pots.len();
        let pot = Arc::clone(&self.pots[number]);
        async move {
            let bytes = if is_last { at_most.min(pot.all) } else { at_most.min(pot.part) };
            let (granted, part) = oneshot::channel();
            pot.lock().waiting.push_back(Waiting { bytes, address, granted });
            pot.grant();
            let part = part.await.expect("whoever waits is granted something, or not asked any more");
            Allowance { part, is_last, window: RunningSleep::new(WINDOW), seen: far, behind: 0 }
        }
    }
}

/// Whether a message has said how large it is: others may become as large as the largest.
fn is_announced(at_most: usize, all: &LargeMessages) -> bool {
    all.pots.last().is_some_and(|largest| at_most < largest.part)
}

impl Pot {
    fn new(part: usize, all: usize) -> Self {
        Self { part, all, share: all / ADDRESSES, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock leaves it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a connection waits that could be granted a part if the holder gave its own
    /// back. One that waits only because its address has its share could not.
    fn is_waited_for(&self, holder: Option<IpAddr>) -> bool {
        let state = self.lock();
        let could_have_it = |waiting: &Waiting| {
            let is_own_share = waiting.address.is_some() && waiting.address == holder;
            !waiting.granted.is_closed() && (is_own_share || state.has_share(waiting, self))
        };
        state.waiting.iter().any(could_have_it)
    }

    /// Gives parts to those who wait, as far as there are any.
    fn grant(self: &Arc<Self>) {
        loop {
            let next = self.lock().take_next(self);
            let Some(Waiting { bytes, address, granted }) = next else { return };
            // It comes back if it is not wanted any more.
            drop(granted.send(Part { bytes, address, pot: Arc::clone(self) }));
        }
    }
}

impl State {
    /// The next one to get a part, which counts as taken. Only those whose address has its share
    /// are passed over: small messages that keep coming do not starve a large one.
    fn take_next(&mut self, pot: &Pot) -> Option<Waiting> {
        self.waiting.retain(|waiting| !waiting.granted.is_closed());
        let next = self.waiting.iter().position(|waiting| self.has_share(waiting, pot))?;
        if self.taken + self.waiting[next].bytes > pot.all {
            return None;
        }
        let next = self.waiting.remove(next)?;
        self.taken += next.bytes;
        if let Some(address) = next.address {
            *self.addresses.entry(address).or_default() += next.bytes;
        }
        Some(next)
    }

    /// Whether the address of one who waits has something left of its share. One part is always
    /// possible.
    fn has_share(&self, waiting: &Waiting, pot: &Pot) -> bool {
        let taken = waiting.address.and_then(|address| self.addresses.get(&address));
        taken.is_none_or(|taken| taken + waiting.bytes <= pot.share)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut state = self.pot.lock();
        state.taken -= self.bytes;
        if let Some(address) = self.address
            && let Some(taken) = state.addresses.get_mut(&address)
        {
            *taken -= self.bytes;
            if *taken == 0 {
                state.addresses.remove(&address);
            }
        }
        drop(state);
        self.pot.grant();
    }
}

impl Allowance {
    /// How much may be received of a message that becomes so large at most; nothing is to be said
    /// if that is all of it.
    pub(crate) fn limit(&self, at_most: usize) -> Option<usize> {
        (!self.is_last && self.part.bytes < at_most).then_some(self.part.bytes)
    }

    /// Whether the message has to give the memory back. It has come so `far` by now, in bytes, and
    /// waits for more memory or does not. Wakes the task when there is something to look at.
    pub(crate) fn poll_late(
        &mut self,
        all: &LargeMessages,
        far: u64,
        waits: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Late> {
        loop {
            ready!(std::pin::Pin::new(&mut self.window).poll(cx));
            let pot = &self.part.pot;
            let is_between = pot.part <= SMALL && pot.part * GROWTH > SMALL;
            // Discarded bytes count no longer, so `far` may be less than it was.
            let is_behind = !waits && far.saturating_sub(self.seen) < all.least;
            self.behind = if is_behind { self.behind + 1 } else { 0 };
            if self.behind >= PATIENCE
                || ((is_behind || waits && is_between) && pot.is_waited_for(self.part.address))
            {
                return Poll::Ready(Late);
            }
            self.seen = far;
            self.window = RunningSleep::new(WINDOW);
        }
    }
}

/// A large message came too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of more than {FREE} bytes came too slowly, or was too large to wait for memory")]
pub struct Late;

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;

    fn from(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([10, 0, 0, last]))
    }

    /// The part that is granted at once, if any.
    fn given(taking: std::pin::Pin<&mut impl Future<Output = Allowance>>) -> Option<Allowance> {
        match taking.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(allowance) => Some(allowance),
            Poll::Pending => None,
        }
    }

    fn sizes(all: &LargeMessages) -> Vec<(usize, usize)> {
        all.pots.iter().map(|pot| (pot.part / KIB, pot.all / KIB)).collect()
    }

    #[test]
    fn half_is_for_small_messages_and_there_is_enough_for_one_of_each_size() {
        let all = LargeMessages::new(256 * MIB, 10 * MIB, 1);
        let parts: Vec<_> = sizes(&all).into_iter().map(|(part, _)| part).collect();
        assert_eq!(parts, [32, 128, 512, 2048, 8192, 10_240]);
        let of = |pots: &[Arc<Pot>]| pots.iter().map(|pot| pot.all).sum::<usize>();
        assert!(of(&all.pots[..3]) <= 128 * MIB && of(&all.pots[3..]) <= 128 * MIB);
        assert!(of(&all.pots) > 255 * MIB);
        // As little as the configuration allows.
        assert!(of(&LargeMessages::new(40 * MIB, 10 * MIB, 1).pots) <= 40 * MIB);
        assert!(of(&LargeMessages::new(256 * KIB, 64 * KIB, 1).pots) <= 256 * KIB);
        assert_eq!(sizes(&LargeMessages::new(32 * MIB, 64 * KIB, 1)), [(32, 16_368), (64, 16_400)]);
        for tiny in [0, 1, 20 * KIB, 100 * KIB] {
            assert!(LargeMessages::new(0, tiny, 1).pots.iter().all(|pot| pot.all >= pot.part));
        }
    }

    #[tokio::test]
    async fn a_message_grows_from_part_to_part_and_counts_with_no_more_than_it_becomes() {
        let all = LargeMessages::new(256 * MIB, 10 * MIB, 1);
        let part = async |received, at_most| all.take(None, received, at_most, 0).await.part.bytes;
        assert_eq!(part(FREE, 10 * MIB).await, 32 * KIB);
        assert_eq!(part(FREE, 20 * KIB).await, 20 * KIB);
        assert_eq!(part(32 * KIB, 10 * MIB).await, 128 * KIB);
        assert_eq!(part(128 * KIB, 200 * KIB).await, 200 * KIB);
        assert_eq!(part(512 * KIB, 10 * MIB).await, 2 * MIB);
        assert_eq!(part(9 * MIB, 10 * MIB + 10).await, 10 * MIB + 10);
        // A message that announces a larger size takes nothing of the memory for small ones.
        assert_eq!(part(FREE, 3 * MIB).await, 2 * MIB);
        assert_eq!(part(FREE, MIB).await, MIB);
        assert_eq!(all.taken(), 0);
    }

    #[tokio::test]
    async fn parts_are_given_in_the_order_of_asking_and_an_address_has_a_share() {
        let all = LargeMessages::new(256 * KIB, 64 * KIB, 1);
        let pot = Arc::clone(&all.pots[0]);
        let take = |address| all.take(address, FREE, 32 * KIB, 0);
        let fits = pot.all / (32 * KIB);
        let mut first: Vec<_> = Vec::new();
        for number in 0..fits {
            first.push(take(from(number as u8)).await);
        }
        assert_eq!(all.taken(), fits * 32 * KIB);
        let (mut second, mut third) = (pin!(take(from(100))), pin!(take(from(101))));
        assert!(given(second.as_mut()).is_none() && given(third.as_mut()).is_none());
        assert!(pot.is_waited_for(from(0)));
        first.pop();
        let _second = given(second.as_mut()).expect("the next one gets it");
        assert!(given(third.as_mut()).is_none());
        // A holder that ends leaves its part to others, and so does one that gives it back.
        let mut fourth = pin!(take(None));
        assert!(given(fourth.as_mut()).is_none());
        {
            let mut gone = Box::pin(take(None));
            assert!(given(gone.as_mut()).is_none());
        }
        first.pop();
        assert!(given(third.as_mut()).is_some());
        assert!(given(fourth.as_mut()).is_some());
        drop(first);
        // An address that has its share waits for itself alone.
        let own = take(from(1)).await;
        let mut more = pin!(take(from(1)));
        assert!(given(more.as_mut()).is_none());
        // It makes nobody else give anything back.
        assert_eq!([1, 2].map(|last| pot.is_waited_for(from(last))), [true, false]);
        drop(take(from(2)).await);
        drop(own);
        assert!(given(more.as_mut()).is_some());
        // The largest message takes some bytes more with what is around it.
        assert_eq!(all.take(from(3), 60 * KIB, 64 * KIB + 14, 0).await.part.bytes, 64 * KIB + 14);
    }
}
