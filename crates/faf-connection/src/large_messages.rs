//! The memory that connections share for large messages.
//!
//! 1. Every connection may hold [`UNSHARED_MESSAGE_BYTES`] of an unfinished message. For more, it
//!    takes a block of a pool, and is not read until it has one. All blocks of a pool have the same
//!    size, four times that of the previous pool. A message starts with the smallest block that it
//!    needs; when that is full, it takes a block of the next pool and releases the first one. So a
//!    message takes memory only as it arrives, however large it announces to be. A connection that
//!    holds a block only ever waits for a larger one, so there is no deadlock.
//! 2. Half of the memory is in pools for messages of up to [`SMALL_MESSAGE_BYTES`], more than
//!    honest peers send. These never wait for larger ones: a message that announces a larger size
//!    starts in the larger pools, and the connection of one that turns out larger is ended if it
//!    cannot grow while another connection waits for its block.
//! 3. One address gets at most a quarter of each pool. A connection that waits because of this
//!    delays no other address, and ends no other connection.
//! 4. The holder of a block must send at a least rate, measured every [`RATE_WINDOW`]. A slower
//!    connection is ended at once if another one waits for its block, and otherwise after
//!    [`LATE_WINDOWS`] windows in a row. At the least rate, a message may take as long as it needs.
//!
//! Together, connections receive no more than all pools and [`UNSHARED_MESSAGE_BYTES`] each. Their
//! buffers may be up to twice as large. Decoding a message takes as much again for a moment, for
//! one message at a time on each thread.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::running_time::RunningSleep;

/// Bytes of an unfinished message that every connection may hold: 16 KiB. Nearly all messages are
/// smaller, and never wait.
pub const UNSHARED_MESSAGE_BYTES: usize = 16 * 1024;

/// Largest message, in bytes, that never waits for larger ones: 512 KiB. Games send a few tens
/// of KiB.
pub const SMALL_MESSAGE_BYTES: usize = 512 * 1024;

/// Size of the blocks of the first pool.
const SMALLEST_BLOCK_BYTES: usize = 32 * 1024;

/// Ratio of the block sizes of a pool and the one before.
const GROWTH: usize = 4;

/// One address gets at most this fraction of each pool, but always one block.
const ADDRESS_DIVISOR: usize = 4;

/// Window over which the rate of a large message is measured: 2 s.
pub const RATE_WINDOW: Duration = Duration::from_secs(2);

/// Number of consecutive windows with too few bytes after which a message is late although no
/// connection waits for its memory. A line may be down for some seconds.
pub const LATE_WINDOWS: u32 = 3;

/// Memory for messages of more than [`UNSHARED_MESSAGE_BYTES`], until they have been received
/// and processed.
#[derive(Debug)]
pub struct LargeMessages {
    /// Pools by the size of their blocks.
    pools: Vec<Arc<Pool>>,
    /// Least number of bytes in a window.
    least: u64,
}

/// Memory for blocks of one size.
#[derive(Debug)]
struct Pool {
    /// Size of a block, in bytes; a message that needs less takes less.
    block: usize,
    /// Size of the pool, in bytes.
    all: usize,
    /// Most bytes for one address.
    share: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of all blocks that are taken.
    taken: usize,
    /// Bytes taken by each address.
    addresses: HashMap<IpAddr, usize>,
    /// Requests in their order. Those of ended connections are skipped.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    bytes: usize,
    address: Option<IpAddr>,
    granted: oneshot::Sender<Block>,
}

/// A block of a pool, which is released on drop.
#[derive(Debug)]
struct Block {
    bytes: usize,
    address: Option<IpAddr>,
    pool: Arc<Pool>,
}

/// The memory that one message holds.
#[derive(Debug)]
pub(crate) struct Allowance {
    block: Block,
    is_last: bool,
    window: RunningSleep,
    /// Progress of the message when the window began, in bytes.
    seen: u64,
    /// Number of consecutive windows with too few bytes.
    slow_windows: u32,
}

impl LargeMessages {
    /// Creates memory of this number of bytes, for messages of at most `largest` bytes that arrive
    /// with at least `rate` bytes a second.
    ///
    /// There is always enough for one message of every size, which takes up to four times
    /// the largest.
    #[must_use]
    pub fn new(bytes: usize, largest: usize, rate: usize) -> Arc<Self> {
        let sizes = std::iter::successors(Some(SMALLEST_BLOCK_BYTES), |size| size.checked_mul(GROWTH));
        let mut sizes: Vec<_> = sizes.take_while(|size| *size < largest).collect();
        sizes.push(largest);
        let (small, large): (Vec<_>, Vec<_>) =
            sizes.into_iter().partition(|size| *size <= SMALL_MESSAGE_BYTES);
        let halves = if small.is_empty() || large.is_empty() { 1 } else { 2 };
        let pools = |sizes: Vec<usize>| {
            let rest = (bytes / halves).saturating_sub(sizes.iter().sum()) / sizes.len().max(1);
            sizes.into_iter().map(move |block| Arc::new(Pool::new(block, block + rest)))
        };
        let pools = pools(small).chain(pools(large)).collect();
        Arc::new(Self { pools, least: rate as u64 * RATE_WINDOW.as_secs() })
    }

    /// Returns the number of bytes that are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.pools.iter().map(|pool| pool.lock().taken).sum()
    }

    /// Takes a block for a message of which `received` bytes are kept, which has at most `at_most`
    /// bytes, and whose progress is `far` bytes.
    pub(crate) fn take(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        received: usize,
        at_most: usize,
        far: u64,
    ) -> impl Future<Output = Allowance> + Send + use<> {
        let fits = |pool: &Arc<Pool>| {
            pool.block > received
                && (at_most <= SMALL_MESSAGE_BYTES
                    || !is_announced(at_most, self)
                    || pool.block > SMALL_MESSAGE_BYTES)
        };
        let number = self.pools.iter().position(fits).unwrap_or(self.pools.len() - 1);
        let is_last = number + 1 == self.pools.len();
        let pool = Arc::clone(&self.pools[number]);
        async move {
            let bytes = if is_last { at_most.min(pool.all) } else { at_most.min(pool.block) };
            let (granted, block) = oneshot::channel();
            pool.lock().waiting.push_back(Waiting { bytes, address, granted });
            pool.grant();
            let block = block.await.expect("a request is dropped only with its future");
            Allowance { block, is_last, window: RunningSleep::new(RATE_WINDOW), seen: far, slow_windows: 0 }
        }
    }
}

/// Returns whether a message has announced its size. Others may become as large as the largest.
fn is_announced(at_most: usize, all: &LargeMessages) -> bool {
    all.pools.last().is_some_and(|largest| at_most < largest.block)
}

impl Pool {
    fn new(block: usize, all: usize) -> Self {
        Self { block, all, share: all / ADDRESS_DIVISOR, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a connection waits that could get a block if the holder released its own. A
    /// connection whose own address has used up its share could not.
    fn is_waited_for(&self, holder: Option<IpAddr>) -> bool {
        let state = self.lock();
        let could_have_it = |waiting: &Waiting| {
            let is_own_share = waiting.address.is_some() && waiting.address == holder;
            !waiting.granted.is_closed() && (is_own_share || state.has_share(waiting, self))
        };
        state.waiting.iter().any(could_have_it)
    }

    /// Grants blocks to waiting connections, as far as there is memory.
    fn grant(self: &Arc<Self>) {
        loop {
            let next = self.lock().take_next(self);
            let Some(Waiting { bytes, address, granted }) = next else { return };
            // If the receiver is dropped, the block is released.
            drop(granted.send(Block { bytes, address, pool: Arc::clone(self) }));
        }
    }
}

impl State {
    /// Removes and returns the next request to be granted, and counts its block as taken. Only
    /// requests whose address has used up its share are skipped, so that a stream of small messages
    /// does not starve a large one.
    fn take_next(&mut self, pool: &Pool) -> Option<Waiting> {
        self.waiting.retain(|waiting| !waiting.granted.is_closed());
        let next = self.waiting.iter().position(|waiting| self.has_share(waiting, pool))?;
        if self.taken + self.waiting[next].bytes > pool.all {
            return None;
        }
        let next = self.waiting.remove(next)?;
        self.taken += next.bytes;
        if let Some(address) = next.address {
            *self.addresses.entry(address).or_default() += next.bytes;
        }
        Some(next)
    }

    /// Returns whether the address of a request has enough left of its share. One block is
    /// always possible.
    fn has_share(&self, waiting: &Waiting, pool: &Pool) -> bool {
        let taken = waiting.address.and_then(|address| self.addresses.get(&address));
        taken.is_none_or(|taken| taken + waiting.bytes <= pool.share)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
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
        self.pool.grant();
    }
}

impl Allowance {
    /// Returns the number of bytes that may be received of a message of at most `at_most` bytes, or
    /// `None` if all of them may.
    pub(crate) fn limit(&self, at_most: usize) -> Option<usize> {
        (!self.is_last && self.block.bytes < at_most).then_some(self.block.bytes)
    }

    /// Resolves when the message must release the memory. Its progress is `far` bytes, and `waits`
    /// is whether it waits for more memory. Wakes the task at the end of each window.
    pub(crate) fn poll_late(
        &mut self,
        all: &LargeMessages,
        far: u64,
        waits: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Late> {
        loop {
            ready!(std::pin::Pin::new(&mut self.window).poll(cx));
            let pool = &self.block.pool;
            // The largest block for small messages, while the message waits for a larger one.
            let is_last_small =
                pool.block <= SMALL_MESSAGE_BYTES && pool.block * GROWTH > SMALL_MESSAGE_BYTES;
            // Discarded bytes no longer count, so `far` may be less than it was.
            let is_slow = !waits && far.saturating_sub(self.seen) < all.least;
            self.slow_windows = if is_slow { self.slow_windows + 1 } else { 0 };
            if self.slow_windows >= LATE_WINDOWS
                || ((is_slow || waits && is_last_small) && pool.is_waited_for(self.block.address))
            {
                return Poll::Ready(Late);
            }
            self.seen = far;
            self.window = RunningSleep::new(RATE_WINDOW);
        }
    }
}

/// A large message arrived too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a message of more than {UNSHARED_MESSAGE_BYTES} bytes came too slowly, or was too large to wait for memory"
)]
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

    /// Returns the block if it is granted at once.
    fn granted(taking: std::pin::Pin<&mut impl Future<Output = Allowance>>) -> Option<Allowance> {
        match taking.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(allowance) => Some(allowance),
            Poll::Pending => None,
        }
    }

    fn sizes(all: &LargeMessages) -> Vec<(usize, usize)> {
        all.pools.iter().map(|pool| (pool.block / KIB, pool.all / KIB)).collect()
    }

    #[test]
    fn half_is_for_small_messages_and_one_message_of_each_size_fits() {
        let all = LargeMessages::new(256 * MIB, 10 * MIB, 1);
        let blocks: Vec<_> = sizes(&all).into_iter().map(|(block, _)| block).collect();
        assert_eq!(blocks, [32, 128, 512, 2048, 8192, 10_240]);
        let of = |pools: &[Arc<Pool>]| pools.iter().map(|pool| pool.all).sum::<usize>();
        assert!(of(&all.pools[..3]) <= 128 * MIB && of(&all.pools[3..]) <= 128 * MIB);
        assert!(of(&all.pools) > 255 * MIB);
        // The least that the configuration allows.
        assert!(of(&LargeMessages::new(40 * MIB, 10 * MIB, 1).pools) <= 40 * MIB);
        assert!(of(&LargeMessages::new(256 * KIB, 64 * KIB, 1).pools) <= 256 * KIB);
        assert_eq!(sizes(&LargeMessages::new(32 * MIB, 64 * KIB, 1)), [(32, 16_368), (64, 16_400)]);
        for tiny in [0, 1, 20 * KIB, 100 * KIB] {
            assert!(LargeMessages::new(0, tiny, 1).pools.iter().all(|pool| pool.all >= pool.block));
        }
    }

    #[tokio::test]
    async fn message_grows_from_block_to_block_and_takes_no_more_than_its_size() {
        let all = LargeMessages::new(256 * MIB, 10 * MIB, 1);
        let block = async |received, at_most| all.take(None, received, at_most, 0).await.block.bytes;
        assert_eq!(block(UNSHARED_MESSAGE_BYTES, 10 * MIB).await, 32 * KIB);
        assert_eq!(block(UNSHARED_MESSAGE_BYTES, 20 * KIB).await, 20 * KIB);
        assert_eq!(block(32 * KIB, 10 * MIB).await, 128 * KIB);
        assert_eq!(block(128 * KIB, 200 * KIB).await, 200 * KIB);
        assert_eq!(block(512 * KIB, 10 * MIB).await, 2 * MIB);
        assert_eq!(block(9 * MIB, 10 * MIB + 10).await, 10 * MIB + 10);
        // A message that announces a larger size takes nothing of the memory for small ones.
        assert_eq!(block(UNSHARED_MESSAGE_BYTES, 3 * MIB).await, 2 * MIB);
        assert_eq!(block(UNSHARED_MESSAGE_BYTES, MIB).await, MIB);
        assert_eq!(all.taken(), 0);
    }

    #[tokio::test]
    async fn blocks_are_granted_in_order_and_an_address_has_a_share() {
        let all = LargeMessages::new(256 * KIB, 64 * KIB, 1);
        let pool = Arc::clone(&all.pools[0]);
        let take = |address| all.take(address, UNSHARED_MESSAGE_BYTES, 32 * KIB, 0);
        let fits = pool.all / (32 * KIB);
        let mut first: Vec<_> = Vec::new();
        for number in 0..fits {
            first.push(take(from(number as u8)).await);
        }
        assert_eq!(all.taken(), fits * 32 * KIB);
        let (mut second, mut third) = (pin!(take(from(100))), pin!(take(from(101))));
        assert!(granted(second.as_mut()).is_none() && granted(third.as_mut()).is_none());
        assert!(pool.is_waited_for(from(0)));
        first.pop();
        let _second = granted(second.as_mut()).expect("the next request is granted");
        assert!(granted(third.as_mut()).is_none());
        // A dropped request is skipped, and a released block goes to the next one.
        let mut fourth = pin!(take(None));
        assert!(granted(fourth.as_mut()).is_none());
        {
            let mut gone = Box::pin(take(None));
            assert!(granted(gone.as_mut()).is_none());
        }
        first.pop();
        assert!(granted(third.as_mut()).is_some());
        assert!(granted(fourth.as_mut()).is_some());
        drop(first);
        // An address that has used up its share waits for its own block.
        let own = take(from(1)).await;
        let mut more = pin!(take(from(1)));
        assert!(granted(more.as_mut()).is_none());
        // It does not make others release theirs.
        assert_eq!([1, 2].map(|last| pool.is_waited_for(from(last))), [true, false]);
        drop(take(from(2)).await);
        drop(own);
        assert!(granted(more.as_mut()).is_some());
        // The largest message takes a few bytes more with its framing.
        assert_eq!(all.take(from(3), 60 * KIB, 64 * KIB + 14, 0).await.block.bytes, 64 * KIB + 14);
    }
}
