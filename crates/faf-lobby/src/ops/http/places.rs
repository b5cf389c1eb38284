//! Places for connections to the HTTP interface: every new connection gets one, and the address
//! with the most places gives one up.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All places in use. There are few, so a scan of all is cheap.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    /// Places in order of arrival.
    taken: BTreeMap<u64, Taken>,
    last: u64,
}

#[derive(Debug)]
struct Taken {
    address: IpAddr,
    place: Arc<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    /// Number of responses in progress.
    responses: AtomicUsize,
    ended: Notify,
}

/// A place, which becomes free when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    inside: Arc<Inside>,
    places: Arc<Places>,
}

/// Guard of a response in progress.
#[derive(Debug)]
pub(super) struct ResponseGuard(Arc<Inside>);

impl Places {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, all: Mutex::default() })
    }

    /// Takes a place for a connection. If all are in use, another connection is evicted,
    /// which [it learns](Place::evicted): of the address that has the most together with this
    /// one, the oldest idle connection, or else the oldest of all.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Place {
        let address = address.to_canonical();
        let mut all = self.lock();
        if all.taken.len() >= self.limit
            && let Some(number) = all.next_to_evict(address)
            && let Some(gone) = all.taken.remove(&number)
        {
            gone.place.ended.notify_one();
        }
        all.last += 1;
        let (number, inside) = (all.last, Arc::new(Inside::default()));
        all.taken.insert(number, Taken { address, place: Arc::clone(&inside) });
        Place { number, inside, places: Arc::clone(self) }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        // No code that holds the lock leaves it half changed.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn next_to_evict(&self, new_address: IpAddr) -> Option<u64> {
        let count = |address| {
            let own = self.taken.values().filter(|taken| taken.address == address).count();
            own + usize::from(address == new_address)
        };
        let most = self.taken.values().map(|taken| count(taken.address)).max()?;
        let candidates = || self.taken.iter().filter(|(_, taken)| count(taken.address) == most);
        let idle = |(_, taken): &(&u64, &Taken)| taken.place.responses.load(Ordering::Relaxed) == 0;
        candidates().find(idle).or_else(|| candidates().next()).map(|(number, _)| *number)
    }
}

impl Place {
    /// Waits until another connection gets the place.
    pub(super) async fn evicted(&self) {
        self.inside.ended.notified().await;
    }

    /// Marks a response as in progress.
    pub(super) fn begin_response(&self) -> ResponseGuard {
        self.inside.responses.fetch_add(1, Ordering::Relaxed);
        ResponseGuard(Arc::clone(&self.inside))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().taken.remove(&self.number);
    }
}

impl Drop for ResponseGuard {
    fn drop(&mut self) {
        self.0.responses.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn evicted(place: &Place) -> bool {
        pin!(place.evicted()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn busiest_address_gives_up_its_oldest_idle_connection() {
        let places = Places::new(5);
        let [many, few, probe] = [1, 2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
        let other = places.take(few);
        let own: Vec<_> = (0..4).map(|_| places.take(many)).collect();
        let in_progress = own[0].begin_response();
        // The first one has a request in progress, so the second one goes.
        let first = places.take(probe);
        assert_eq!([0, 1, 2, 3].map(|number| evicted(&own[number])), [false, true, false, false]);
        let _busy = [own[2].begin_response(), own[3].begin_response()];
        // All have requests in progress, so the oldest goes.
        let second = places.take(probe);
        assert!(evicted(&own[0]) && !evicted(&own[2]) && !evicted(&other));
        // Now both addresses have two, and the new connection's has three.
        let _third = places.take(probe);
        assert!(evicted(&first) && !evicted(&second) && !evicted(&own[3]));
        drop((own, in_progress));
        assert_eq!(places.lock().taken.len(), 3);
        let _fourth = places.take("::ffff:10.0.0.1".parse().unwrap());
        assert!(!evicted(&second));
    }
}
