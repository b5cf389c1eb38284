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
    answers: AtomicUsize,
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
pub(super) struct Answering(Arc<Inside>);

impl Places {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, all: Mutex::default() })
    }

    /// Takes a place for a connection. If all are in use, another connection has to make room,
    /// which [it learns](Place::has_to_go): of the address that has the most together with this
    /// one, the oldest idle connection, or else the oldest of all.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Place {
        let address = address.to_canonical();
        let mut all = self.lock();
        if all.taken.len() >= self.limit
            && let Some(number) = all.next_to_go(address)
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
    fn next_to_go(&self, comer: IpAddr) -> Option<u64> {
        let count = |address| {
            let own = self.taken.values().filter(|taken| taken.address == address).count();
            own + usize::from(address == comer)
        };
        let most = self.taken.values().map(|taken| count(taken.address)).max()?;
        let candidates = || self.taken.iter().filter(|(_, taken)| count(taken.address) == most);
        let silent = |(_, taken): &(&u64, &Taken)| taken.place.answers.load(Ordering::Relaxed) == 0;
        candidates().find(silent).or_else(|| candidates().next()).map(|(number, _)| *number)
    }
}

impl Place {
    /// Waits until another connection gets the place.
    pub(super) async fn has_to_go(&self) {
        self.inside.ended.notified().await;
    }

    /// Marks a response as in progress.
    pub(super) fn answer(&self) -> Answering {
        self.inside.answers.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(&self.inside))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().taken.remove(&self.number);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn has_to_go(place: &Place) -> bool {
        pin!(place.has_to_go()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn busiest_address_gives_up_its_oldest_idle_connection() {
        let places = Places::new(5);
        let [many, few, probe] = [1, 2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
        let other = places.take(few);
        let own: Vec<_> = (0..4).map(|_| places.take(many)).collect();
        let answering = own[0].answer();
        // The first one has a request in progress, so the second one goes.
        let first = places.take(probe);
        assert_eq!([0, 1, 2, 3].map(|number| has_to_go(&own[number])), [false, true, false, false]);
        let _busy = [own[2].answer(), own[3].answer()];
        // All have requests in progress, so the oldest goes.
        let second = places.take(probe);
        assert!(has_to_go(&own[0]) && !has_to_go(&own[2]) && !has_to_go(&other));
        // Now both addresses have two, and the new connection's has three.
        let _third = places.take(probe);
        assert!(has_to_go(&first) && !has_to_go(&second) && !has_to_go(&own[3]));
        drop((own, answering));
        assert_eq!(places.lock().taken.len(), 3);
        let _fourth = places.take("::ffff:10.0.0.1".parse().unwrap());
        assert!(!has_to_go(&second));
    }
}
