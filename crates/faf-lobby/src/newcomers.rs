//! Connections on which nobody has logged in yet: how many there may be, of whom, and who goes when there are too many.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use faf_connection::Writer;
use faf_lobby_core::network;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::turned_away::TurnedAway;

/// How long a connection may be silent before it can be ended for another one: 1 s.
///
/// Clients speak as soon as they are connected, but what they say may be under way. Without this, everybody who comes in
/// a rush would throw out somebody else, and nobody would get in.
const TIME_TO_SPEAK: Duration = Duration::from_secs(1);

/// All connections without a login, from when they are accepted.
///
/// Whoever opens connections and says nothing must not keep out those who want to log in. So when there are too many, the
/// oldest one is ended on which no complete message has come, though there was time for it. From one address
/// there may only be so many, however long they have been there.
#[derive(Debug)]
pub(crate) struct Newcomers {
    limit: usize,
    limit_per_address: usize,
    all: Mutex<All>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct All {
    /// By number; later ones have higher numbers.
    connections: HashMap<u64, Connection>,
    next_number: u64,
    /// Those who have not said anything complete.
    silent: BTreeSet<u64>,
    /// How many there are of each address that is counted.
    addresses: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Connection {
    address: Option<IpAddr>,
    since: Instant,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Before the first message can come; whom to tell that it is over.
    Handshake(Arc<Notify>),
    Session(Writer),
}

/// One of them. It counts until this is dropped, or it is ended to make room.
#[derive(Debug)]
pub(crate) struct Newcomer {
    number: u64,
    newcomers: Arc<Newcomers>,
    /// Told when the connection is ended during its handshake.
    pub(crate) signal: Arc<Notify>,
}

impl Newcomers {
    pub(crate) fn new(limit: usize, limit_per_address: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { limit, limit_per_address, all: Mutex::default(), metrics })
    }

    /// Lets a connection in. If it has no place, or there are too many, the oldest one goes for it that had time to speak and has
    /// said nothing. Without an address, only the total counts.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        has_place: bool,
    ) -> Result<Newcomer, TurnedAway> {
        let address = address.map(network);
        let mut all = self.lock();
        if all.has_too_many(address, self.limit_per_address) {
            return Err(TurnedAway::UnauthenticatedLimitPerAddress);
        }
        let oldest = match (has_place, all.connections.len() < self.limit) {
            (true, true) => None,
            (true, false) => Some(all.remove_oldest_silent().ok_or(TurnedAway::UnauthenticatedLimit)?),
            (false, _) => Some(all.remove_oldest_silent().ok_or(TurnedAway::ConnectionLimit)?),
        };
        let number = all.next_number;
        all.next_number += 1;
        let signal = Arc::new(Notify::new());
        let (since, stage) = (Instant::now(), Stage::Handshake(Arc::clone(&signal)));
        all.connections.insert(number, Connection { address, since, stage });
        all.silent.insert(number);
        all.count(address);
        self.metrics.set_unauthenticated(all.connections.len());
        drop(all);
        if let Some(oldest) = oldest {
            self.end(oldest);
        }
        Ok(Newcomer { number, newcomers: Arc::clone(self), signal })
    }

    /// Ends a connection that has been removed.
    fn end(&self, connection: Connection) {
        let why = TurnedAway::MadeRoom;
        match connection.stage {
            Stage::Handshake(ended) => {
                tracing::debug!("no connection: {}", why.reason());
                self.metrics.count_refused(why.reason());
                ended.notify_one();
            }
            Stage::Session(writer) => {
                tracing::debug!("a connection has ended: {}", why.reason());
                self.metrics.count_ended(why.reason());
                // What the operating system does not take at once is lost, as this peer is not waited for.
                let _ = writer.hand_over(&[why.goodbye(writer.encoding())], 1);
                writer.abort();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        // Nothing that holds the lock leaves it half changed.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Newcomer {
    /// Says whose connection it is, which proxies tell during the handshake. It counts there from now on.
    pub(crate) fn comes_from(&self, address: Option<IpAddr>) -> Result<(), TurnedAway> {
        let address = address.map(network);
        let mut all = self.newcomers.lock();
        let Some(before) = all.connections.get(&self.number).map(|connection| connection.address) else {
            // It had to go meanwhile, which is noticed when its session begins.
            return Ok(());
        };
        if before == address {
            return Ok(());
        }
        if all.has_too_many(address, self.newcomers.limit_per_address) {
            return Err(TurnedAway::UnauthenticatedLimitPerAddress);
        }
        all.count_no_longer(before);
        all.count(address);
        if let Some(connection) = all.connections.get_mut(&self.number) {
            connection.address = address;
        }
        Ok(())
    }

    /// The handshake is over. Fails if the connection had to go meanwhile.
    pub(crate) fn begins_session(&self, writer: &Writer) -> Result<(), TurnedAway> {
        let mut all = self.newcomers.lock();
        let connection = all.connections.get_mut(&self.number).ok_or(TurnedAway::MadeRoom)?;
        connection.stage = Stage::Session(writer.clone());
        Ok(())
    }

    /// A complete message has come: it is somebody, and does not have to go for others.
    pub(crate) fn has_spoken(&self) {
        self.newcomers.lock().silent.remove(&self.number);
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        let mut all = self.newcomers.lock();
        all.remove(self.number);
        self.newcomers.metrics.set_unauthenticated(all.connections.len());
    }
}

impl All {
    fn has_too_many(&self, address: Option<IpAddr>, limit: usize) -> bool {
        address.and_then(|address| self.addresses.get(&address)).is_some_and(|count| *count >= limit)
    }

    fn remove_oldest_silent(&mut self) -> Option<Connection> {
        let oldest = *self.silent.first()?;
        let had_time = self.connections.get(&oldest)?.since.elapsed() >= TIME_TO_SPEAK;
        had_time.then(|| self.remove(oldest)).flatten()
    }

    fn remove(&mut self, number: u64) -> Option<Connection> {
        self.silent.remove(&number);
        let connection = self.connections.remove(&number)?;
        self.count_no_longer(connection.address);
        Some(connection)
    }

    fn count(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address {
            *self.addresses.entry(address).or_default() += 1;
        }
    }

    fn count_no_longer(&mut self, address: Option<IpAddr>) {
        let Some(address) = address else { return };
        if let Some(count) = self.addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use faf_connection::{Settings, open};
    use faf_protocol::{ServerMessage, WireFormat};

    use tokio::time::advance;

    use super::*;
    use crate::store::Store;

    /// Whether the end has been told; takes it.
    fn is_told(newcomer: &Newcomer) -> bool {
        pin!(newcomer.signal.notified()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    pub(crate) fn newcomers(limit: usize, limit_per_address: usize) -> (Arc<Newcomers>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("test.sqlite")).unwrap();
        (Newcomers::new(limit, limit_per_address, Arc::new(Metrics::new(store))), folder)
    }

    fn from(address: &str) -> Option<IpAddr> {
        Some(address.parse().unwrap())
    }

    fn count_of(newcomers: &Newcomers) -> (usize, usize, usize) {
        let all = newcomers.lock();
        (all.connections.len(), all.silent.len(), all.addresses.values().sum())
    }

    #[test]
    fn an_address_has_so_many_and_a_network_of_version_6_is_one() {
        let (newcomers, _folder) = newcomers(100, 2);
        for addresses in [["10.0.0.1", "::ffff:10.0.0.1"], ["2001:db8::1", "2001:db8::ffff:2"]] {
            let inside = addresses.map(|address| newcomers.admit(from(address), true).unwrap());
            for address in addresses {
                let refused = newcomers.admit(from(address), true).unwrap_err();
                assert_eq!(refused, TurnedAway::UnauthenticatedLimitPerAddress);
            }
            assert!(newcomers.admit(from("10.0.0.2"), true).is_ok() && newcomers.admit(None, true).is_ok());
            drop(inside);
            assert!(newcomers.admit(from(addresses[0]), true).is_ok());
        }
        assert_eq!(count_of(&newcomers), (0, 0, 0));
        assert!(newcomers.lock().addresses.is_empty());
    }

    #[test]
    fn an_announced_address_counts_instead_of_the_first() {
        let (newcomers, _folder) = newcomers(100, 1);
        let (first, second) = (newcomers.admit(None, true).unwrap(), newcomers.admit(None, true).unwrap());
        first.comes_from(from("1.1.1.1")).unwrap();
        assert_eq!(second.comes_from(from("1.1.1.1")), Err(TurnedAway::UnauthenticatedLimitPerAddress));
        first.comes_from(from("1.1.1.1")).unwrap();
        first.comes_from(from("1.1.1.2")).unwrap();
        second.comes_from(from("1.1.1.1")).unwrap();
        second.comes_from(None).unwrap();
        assert_eq!(count_of(&newcomers), (2, 2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_who_is_silent_makes_room() {
        let (newcomers, _folder) = newcomers(3, 100);
        let [speaker, old, young] = [(); 3].map(|()| newcomers.admit(None, true).unwrap());
        speaker.has_spoken();
        // What they say may be under way.
        assert_eq!(newcomers.admit(None, true).unwrap_err(), TurnedAway::UnauthenticatedLimit);
        advance(TIME_TO_SPEAK).await;
        let next = newcomers.admit(None, true).unwrap();
        assert!(is_told(&old) && !is_told(&young) && !is_told(&speaker));
        old.comes_from(from("1.1.1.1")).unwrap();
        // Whoever has been ended does not count, whenever it goes.
        drop(old);
        assert_eq!(count_of(&newcomers), (3, 2, 0));
        young.has_spoken();
        next.has_spoken();
        assert_eq!(newcomers.admit(None, true).unwrap_err(), TurnedAway::UnauthenticatedLimit);
        assert_eq!(newcomers.admit(None, false).unwrap_err(), TurnedAway::ConnectionLimit);
        drop(speaker);
        assert!(newcomers.admit(None, true).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_has_to_go_for_one_who_is_not_let_in() {
        let (newcomers, _folder) = newcomers(100, 1);
        let [old, own] =
            ["10.0.0.1", "10.0.0.2"].map(|address| newcomers.admit(from(address), true).unwrap());
        advance(TIME_TO_SPEAK).await;
        let refused = newcomers.admit(from("10.0.0.2"), false).unwrap_err();
        assert_eq!(refused, TurnedAway::UnauthenticatedLimitPerAddress);
        assert!(!is_told(&old) && !is_told(&own));
        let _next = newcomers.admit(from("10.0.0.3"), false).unwrap();
        assert!(is_told(&old));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_to_go_is_told_why() {
        let (newcomers, _folder) = newcomers(1, 100);
        for format in WireFormat::ALL {
            let old = newcomers.admit(None, true).unwrap();
            let (here, there) = tokio::io::duplex(1024);
            let (reader, writer) = open(here, Settings::new(format));
            let role = faf_protocol::websocket::Role::Client;
            let (mut client, _) = open(there, Settings { role, ..Settings::new(format) });
            old.begins_session(&writer).unwrap();
            advance(TIME_TO_SPEAK).await;
            let _next = newcomers.admit(None, true).unwrap();
            let heard = ServerMessage::read(client.read().await.unwrap()).unwrap();
            let ServerMessage::Notice(notice) = heard else { panic!("{heard:?}") };
            assert!(notice.text.unwrap().contains("others"));
            drop(reader);
            assert!(client.read().await.is_err());
            assert!(!writer.is_connected() && old.begins_session(&writer).is_err());
        }
        let text = newcomers.metrics.text().unwrap();
        assert!(text.contains("server_connections_ended_total{reason=\"made room\"} 3\n"), "{text}");
    }
}
