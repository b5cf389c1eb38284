//! Unauthenticated connections: their limits, and which one is closed when there are too many.

mod silent;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use faf_connection::Writer;
use faf_connection::running_time::RunningTime;
use faf_lobby_core::Network;
use tokio::sync::Notify;

use crate::net::rejection::RejectReason;
use crate::ops::metrics::Metrics;
use silent::SilentByNetwork;

/// How long a connection may be silent before it can be evicted for another one: 1 s.
///
/// Clients send as soon as they are connected, but their first message may be under way. Without
/// this time, every client that connects in a rush would evict another one, and none would log in.
const MIN_SILENCE: Duration = Duration::from_secs(1);

/// All unauthenticated connections, each from its acceptance until it logs in or ends.
///
/// Connections on which nobody logs in must not keep others out. So when there are too many, a
/// silent one is evicted: one on which no login is being checked. It is the oldest silent one of
/// the network ([`Network::widest`]) that has most of them. It must have been silent for
/// [`MIN_SILENCE`], unless its network has more than `limit_per_address`. In addition, one address
/// may have `limit_per_address` connections, of any age, and a wider IPv6 network a
/// [multiple](Network::counted) of that.
#[derive(Debug)]
pub(crate) struct Unauthenticated {
    limit: usize,
    limit_per_address: usize,
    all: Mutex<All>,
    time: RunningTime,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct All {
    /// Connections by number; later ones have higher numbers.
    connections: HashMap<u64, Connection>,
    next_number: u64,
    /// Silent connections. A connection gets a new number each time it becomes silent.
    silent: SilentByNetwork,
    /// Number of each silent connection, by the number of its silence.
    silences: HashMap<u64, u64>,
    /// Number of connections of each counted network.
    networks: HashMap<Network, usize>,
}

#[derive(Debug)]
struct Connection {
    address: Option<IpAddr>,
    /// Number and beginning of the silence, if no login is being checked.
    silent: Option<(u64, Duration)>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// During the handshake, which is notified when the connection is evicted.
    Handshake(Arc<Notify>),
    Session(Writer),
}

/// Counts one connection as unauthenticated, until the guard is dropped or the connection
/// is evicted.
#[derive(Debug)]
pub(crate) struct UnauthenticatedGuard {
    number: u64,
    registry: Arc<Unauthenticated>,
    /// Notified when the connection is evicted during its handshake.
    pub(crate) signal: Arc<Notify>,
}

impl Unauthenticated {
    pub(crate) fn new(
        limit: usize,
        limit_per_address: usize,
        time: RunningTime,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self { limit, limit_per_address, all: Mutex::default(), time, metrics })
    }

    /// Admits a connection. If it has no permit, or there are too many, another one is evicted for
    /// it. Without an address, only the total is limited.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        has_permit: bool,
    ) -> Result<UnauthenticatedGuard, RejectReason> {
        let mut all = self.lock();
        if all.has_too_many(address, self.limit_per_address) {
            return Err(RejectReason::UnauthenticatedLimitPerAddress);
        }
        let now = self.time.elapsed();
        let why_full = match (has_permit, all.connections.len() < self.limit) {
            (true, true) => None,
            (true, false) => Some(RejectReason::UnauthenticatedLimit),
            (false, _) => Some(RejectReason::ConnectionLimit),
        };
        let evicted = match why_full {
            None => None,
            Some(why) => Some(all.evict_one(now, self.limit_per_address).ok_or(why)?),
        };
        let number = all.next_number();
        let signal = Arc::new(Notify::new());
        let stage = Stage::Handshake(Arc::clone(&signal));
        all.connections.insert(number, Connection { address, silent: None, stage });
        all.mark_silent(number, now);
        all.count(address);
        self.metrics.set_unauthenticated(all.connections.len());
        drop(all);
        if let Some(evicted) = evicted {
            self.end(evicted);
        }
        Ok(UnauthenticatedGuard { number, registry: Arc::clone(self), signal })
    }

    /// Closes an evicted connection.
    fn end(&self, connection: Connection) {
        let why = RejectReason::MadeRoom;
        match connection.stage {
            Stage::Handshake(ended) => {
                tracing::debug!("no connection: {}", why.reason());
                self.metrics.count_refused(why.reason());
                ended.notify_one();
            }
            Stage::Session(writer) => {
                tracing::debug!("a connection has ended: {}", why.reason());
                self.metrics.count_ended(why.reason());
                // The server does not wait for this peer: the bytes that the operating system does
                // not take at once are lost.
                let _ = writer.try_write(&[why.closing_notice(writer.encoding())], 1);
                writer.abort();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        // No code that holds the lock can leave it half changed.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnauthenticatedGuard {
    /// Sets the client's address, which a proxy named during the handshake. From now on, the
    /// connection counts for this address.
    pub(crate) fn set_address(&self, address: Option<IpAddr>) -> Result<(), RejectReason> {
        let mut all = self.registry.lock();
        let Some(before) = all.connections.get(&self.number).map(|connection| connection.address) else {
            // The connection was evicted in the meantime. The start of its session notices that.
            return Ok(());
        };
        if before == address {
            return Ok(());
        }
        all.uncount(before);
        if all.has_too_many(address, self.registry.limit_per_address) {
            all.count(before);
            return Err(RejectReason::UnauthenticatedLimitPerAddress);
        }
        all.count(address);
        all.change_address(self.number, address);
        Ok(())
    }

    /// Notes that the handshake is over. Fails if the connection was evicted in the meantime.
    pub(crate) fn begin_session(&self, writer: &Writer) -> Result<(), RejectReason> {
        let mut all = self.registry.lock();
        let connection = all.connections.get_mut(&self.number).ok_or(RejectReason::MadeRoom)?;
        connection.stage = Stage::Session(writer.clone());
        Ok(())
    }

    /// Notes that a login is being checked. The connection cannot be evicted until it fails.
    pub(crate) fn login_started(&self) {
        self.registry.lock().mark_busy(self.number);
    }

    /// Notes that the login was rejected. The connection can be evicted again.
    pub(crate) fn login_failed(&self) {
        let now = self.registry.time.elapsed();
        self.registry.lock().mark_silent(self.number, now);
    }
}

impl Drop for UnauthenticatedGuard {
    fn drop(&mut self) {
        let mut all = self.registry.lock();
        all.remove(self.number);
        self.registry.metrics.set_unauthenticated(all.connections.len());
    }
}

impl All {
    fn next_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn has_too_many(&self, address: Option<IpAddr>, limit: usize) -> bool {
        let mut networks = address.into_iter().flat_map(Network::counted);
        networks.any(|(network, times)| {
            self.networks.get(&network).is_some_and(|count| *count >= limit.saturating_mul(times))
        })
    }

    /// Removes and returns the connection to evict, if there is one: it must have been silent for
    /// [`MIN_SILENCE`], unless its network has more than `limit` silent connections.
    fn evict_one(&mut self, now: Duration, limit: usize) -> Option<Connection> {
        let mut oldest = self.silent.oldest();
        let was_silent = |silence: &u64| {
            let connection = self.silences.get(silence).and_then(|number| self.connections.get(number));
            let silent = connection.and_then(|connection| connection.silent);
            silent.is_some_and(|(_, since)| now.saturating_sub(since) >= MIN_SILENCE)
        };
        let (silence, _) = oldest.find(|(silence, count)| *count > limit || was_silent(silence))?;
        drop(oldest);
        self.remove(*self.silences.get(&silence)?)
    }

    fn mark_silent(&mut self, number: u64, now: Duration) {
        self.mark_busy(number);
        let silence = self.next_number();
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.silent = Some((silence, now));
        self.silent.insert(connection.address.map(Network::widest), silence);
        self.silences.insert(silence, number);
    }

    fn mark_busy(&mut self, number: u64) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if let Some((silence, _)) = connection.silent.take() {
            self.silent.remove(connection.address.map(Network::widest), silence);
            self.silences.remove(&silence);
        }
    }

    fn change_address(&mut self, number: u64, address: Option<IpAddr>) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let before = std::mem::replace(&mut connection.address, address);
        if let Some((silence, _)) = connection.silent {
            self.silent.remove(before.map(Network::widest), silence);
            self.silent.insert(address.map(Network::widest), silence);
        }
    }

    fn remove(&mut self, number: u64) -> Option<Connection> {
        self.mark_busy(number);
        let connection = self.connections.remove(&number)?;
        self.uncount(connection.address);
        Some(connection)
    }

    fn count(&mut self, address: Option<IpAddr>) {
        for (network, _) in address.into_iter().flat_map(Network::counted) {
            *self.networks.entry(network).or_default() += 1;
        }
    }

    fn uncount(&mut self, address: Option<IpAddr>) {
        for (network, _) in address.into_iter().flat_map(Network::counted) {
            if let Some(count) = self.networks.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    self.networks.remove(&network);
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use faf_connection::running_time::simulate_stop;
    use faf_connection::{Settings, open};
    use faf_protocol::{ServerMessage, WireFormat};

    use tokio::time::advance;

    use super::*;

    /// Returns whether the eviction was notified, and consumes the notification.
    fn is_evicted(guard: &UnauthenticatedGuard) -> bool {
        pin!(guard.signal.notified()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    pub(crate) fn registry(limit: usize, limit_per_address: usize) -> Arc<Unauthenticated> {
        Unauthenticated::new(limit, limit_per_address, RunningTime::begin(), Arc::new(Metrics::new()))
    }

    fn from(address: &str) -> Option<IpAddr> {
        Some(address.parse().unwrap())
    }

    fn count_of(registry: &Unauthenticated) -> (usize, usize, usize) {
        let all = registry.lock();
        let narrow = all.networks.iter().filter(|(network, _)| {
            let text = network.to_string();
            text.ends_with("/32") || text.ends_with("/64")
        });
        (all.connections.len(), all.silent.len(), narrow.map(|(_, count)| count).sum())
    }

    #[test]
    fn address_and_ipv6_network_have_limited_connections() {
        let registry = registry(100, 2);
        for addresses in [["10.0.0.1", "::ffff:10.0.0.1"], ["2001:db8::1", "2001:db8::ffff:2"]] {
            let inside = addresses.map(|address| registry.admit(from(address), true).unwrap());
            for address in addresses {
                let refused = registry.admit(from(address), true).unwrap_err();
                assert_eq!(refused, RejectReason::UnauthenticatedLimitPerAddress);
            }
            assert!(registry.admit(from("10.0.0.2"), true).is_ok() && registry.admit(None, true).is_ok());
            drop(inside);
            assert!(registry.admit(from(addresses[0]), true).is_ok());
        }
        assert_eq!(count_of(&registry), (0, 0, 0));
        assert!(registry.lock().networks.is_empty() && registry.lock().silences.is_empty());
    }

    #[test]
    fn address_named_by_a_proxy_replaces_the_first() {
        let registry = registry(100, 1);
        let (first, second) = (registry.admit(None, true).unwrap(), registry.admit(None, true).unwrap());
        first.set_address(from("1.1.1.1")).unwrap();
        assert_eq!(second.set_address(from("1.1.1.1")), Err(RejectReason::UnauthenticatedLimitPerAddress));
        first.set_address(from("1.1.1.1")).unwrap();
        first.set_address(from("1.1.1.2")).unwrap();
        second.set_address(from("1.1.1.1")).unwrap();
        second.set_address(None).unwrap();
        assert_eq!(count_of(&registry), (2, 2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn oldest_silent_connection_is_evicted() {
        let registry = registry(3, 100);
        let [speaker, old, young] = [(); 3].map(|()| registry.admit(None, true).unwrap());
        speaker.login_started();
        // Their first messages may be under way.
        assert_eq!(registry.admit(None, true).unwrap_err(), RejectReason::UnauthenticatedLimit);
        advance(MIN_SILENCE).await;
        let next = registry.admit(None, true).unwrap();
        assert!(is_evicted(&old) && !is_evicted(&young) && !is_evicted(&speaker));
        old.set_address(from("1.1.1.1")).unwrap();
        // An evicted connection no longer counts, even before its guard is dropped.
        drop(old);
        assert_eq!(count_of(&registry), (3, 2, 0));
        young.login_started();
        next.login_started();
        assert_eq!(registry.admit(None, true).unwrap_err(), RejectReason::UnauthenticatedLimit);
        assert_eq!(registry.admit(None, false).unwrap_err(), RejectReason::ConnectionLimit);
        drop(speaker);
        assert!(registry.admit(None, true).is_ok());
    }

    #[test]
    fn many_ipv6_networks_of_one_client_share_a_limit() {
        let registry = registry(1000, 2);
        let of = |third: u16, fourth: u16| Some(IpAddr::from([0x2001, 0xdb8, third, fourth, 0, 0, 0, 1]));
        let mut inside = Vec::new();
        // 56 bits allow as many as four addresses do, 48 bits as many as sixteen.
        for (fourth, places) in [(0, 8), (0x100, 8), (0x200, 8), (0x300, 8), (0x400, 0)] {
            let households = 0..20_u16;
            let own = households.flat_map(|number| registry.admit(of(1, fourth + number), true).ok());
            let before = inside.len();
            inside.extend(own);
            assert_eq!(inside.len() - before, places);
        }
        assert!(registry.admit(of(2, 0), true).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn oldest_of_the_largest_network_is_evicted() {
        let registry = registry(5, 2);
        let come = |address: &str| registry.admit(from(address), true).unwrap();
        let alone = come("10.0.0.1");
        let crowd = ["2001:db8:1::1", "2001:db8:1:1::1", "2001:db8:1:200::1"].map(come);
        let other = come("10.0.1.1");
        // Their network has more than one address may have, so it gets no time to send.
        let first = come("10.0.2.1");
        assert!(is_evicted(&crowd[0]) && !is_evicted(&alone) && !is_evicted(&other));
        // The others have time to send something.
        assert_eq!(registry.admit(from("10.0.3.1"), true).unwrap_err(), RejectReason::UnauthenticatedLimit);
        advance(MIN_SILENCE).await;
        let second = come("10.0.3.1");
        assert!(is_evicted(&crowd[1]));
        // Of networks of the same size, the one with the oldest connection comes first.
        let third = come("10.0.4.1");
        assert!(is_evicted(&alone) && !is_evicted(&crowd[2]) && !is_evicted(&first));
        drop((second, third));
    }

    #[tokio::test(start_paused = true)]
    async fn connection_is_not_evicted_while_its_login_is_checked() {
        let registry = registry(2, 100);
        let [old, young] = [(); 2].map(|()| registry.admit(None, true).unwrap());
        advance(MIN_SILENCE).await;
        old.login_started();
        young.login_started();
        assert_eq!(registry.admit(None, true).unwrap_err(), RejectReason::UnauthenticatedLimit);
        young.login_failed();
        // The client may be about to try again.
        assert_eq!(registry.admit(None, true).unwrap_err(), RejectReason::UnauthenticatedLimit);
        advance(MIN_SILENCE).await;
        let _next = registry.admit(None, true).unwrap();
        assert!(is_evicted(&young) && !is_evicted(&old));
        young.login_failed();
        assert_eq!(count_of(&registry), (2, 1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_process_is_stopped_does_not_count_as_silence() {
        let registry = registry(1, 100);
        let _old = registry.admit(None, true).unwrap();
        simulate_stop(100 * MIN_SILENCE);
        advance(100 * MIN_SILENCE).await;
        assert_eq!(registry.admit(None, true).unwrap_err(), RejectReason::UnauthenticatedLimit);
    }

    #[tokio::test(start_paused = true)]
    async fn rejected_connection_evicts_nobody() {
        let registry = registry(100, 1);
        let [old, own] = ["10.0.0.1", "10.0.0.2"].map(|address| registry.admit(from(address), true).unwrap());
        advance(MIN_SILENCE).await;
        let refused = registry.admit(from("10.0.0.2"), false).unwrap_err();
        assert_eq!(refused, RejectReason::UnauthenticatedLimitPerAddress);
        assert!(!is_evicted(&old) && !is_evicted(&own));
        let _next = registry.admit(from("10.0.0.3"), false).unwrap();
        assert!(is_evicted(&old));
    }

    #[tokio::test(start_paused = true)]
    async fn evicted_client_receives_the_reason() {
        let registry = registry(1, 100);
        for format in WireFormat::ALL {
            let old = registry.admit(None, true).unwrap();
            let (here, there) = tokio::io::duplex(1024);
            let (reader, writer) = open(here, Settings::new(format));
            let role = faf_protocol::websocket::Role::Client;
            let (mut client, _) = open(there, Settings { role, ..Settings::new(format) });
            old.begin_session(&writer).unwrap();
            advance(MIN_SILENCE).await;
            let _next = registry.admit(None, true).unwrap();
            let received = ServerMessage::read(client.read().await.unwrap()).unwrap();
            let ServerMessage::Notice(notice) = received else { panic!("{received:?}") };
            assert!(notice.text.unwrap().contains("others"));
            drop(reader);
            assert!(client.read().await.is_err());
            assert!(!writer.is_connected() && old.begin_session(&writer).is_err());
        }
        let text = registry.metrics.text().unwrap();
        assert!(text.contains("server_connections_ended_total{reason=\"made room\"} 3\n"), "{text}");
    }
}
