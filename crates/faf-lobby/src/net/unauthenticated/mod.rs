//! Connections without a login: how many may be open, and which one is closed when there are too many.

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

/// How long a connection may be open without a login before it can be closed for another one: 1 s.
///
/// Clients send as soon as they are connected, but their first message may be under way. Without this
/// time, everybody who connects in a rush would push out somebody else, and nobody would get in.
const MIN_SILENCE: Duration = Duration::from_secs(1);

/// All connections without a login, from when they are accepted until they log in or end.
///
/// Connections on which nobody logs in must not keep others out. So when there are too many, the oldest
/// one on which no login is being checked makes room, of the network ([`Network::widest`]) that has most
/// of them. It must have had time to send something, unless its network has more than one address may have. One
/// address may only have so many connections, however old they are, and a wider IPv6 network so many
/// [times](Network::counted) as many.
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
    /// By number; later ones have higher numbers.
    connections: HashMap<u64, Connection>,
    next_number: u64,
    /// Connections without a login under way, by since when.
    silent: SilentByNetwork,
    /// Numbers of connections, by the number of their silence.
    silences: HashMap<u64, u64>,
    /// How many connections each counted network has.
    networks: HashMap<Network, usize>,
}

#[derive(Debug)]
struct Connection {
    address: Option<IpAddr>,
    /// Since when no login is under way: the number of this silence, and the time.
    silent: Option<(u64, Duration)>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The handshake, which is told when the connection is closed.
    Handshake(Arc<Notify>),
    Session(Writer),
}

/// Counts one connection as unauthenticated, until it is dropped or the connection is closed to make
/// room.
#[derive(Debug)]
pub(crate) struct UnauthenticatedGuard {
    number: u64,
    registry: Arc<Unauthenticated>,
    /// Notified when the connection is closed during its handshake.
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

    /// Admits a connection. If it has no permit, or there are too many, another one is closed for it.
    /// Without an address, only the total counts.
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

    /// Closes a connection that was evicted.
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
                // The server does not wait for this peer: what the operating system does not take at once
                // is lost.
                let _ = writer.hand_over(&[why.closing_notice(writer.encoding())], 1);
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
    /// Sets the client's address, which a proxy gave during the handshake. The connection counts for it from
    /// now on.
    pub(crate) fn set_address(&self, address: Option<IpAddr>) -> Result<(), RejectReason> {
        let mut all = self.registry.lock();
        let Some(before) = all.connections.get(&self.number).map(|connection| connection.address) else {
            // It was evicted in the meantime, which is noticed when its session begins.
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

    /// The handshake is over. Fails if the connection was evicted in the meantime.
    pub(crate) fn begin_session(&self, writer: &Writer) -> Result<(), RejectReason> {
        let mut all = self.registry.lock();
        let connection = all.connections.get_mut(&self.number).ok_or(RejectReason::MadeRoom)?;
        connection.stage = Stage::Session(writer.clone());
        Ok(())
    }

    /// A login is under way: the connection is not evicted.
    pub(crate) fn login_started(&self) {
        self.registry.lock().mark_busy(self.number);
    }

    /// The login was rejected: the connection can be evicted again.
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

    /// Removes and returns the connection that is closed for another one; none if all of them may still be
    /// about to send. A network with more connections than one address may have gets no time for that.
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

    /// Whether the end has been told; takes it.
    fn is_told(guard: &UnauthenticatedGuard) -> bool {
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
    fn an_address_has_so_many_and_a_network_of_version_6_is_one() {
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
    fn an_announced_address_counts_instead_of_the_first() {
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
    async fn the_oldest_who_is_silent_makes_room() {
        let registry = registry(3, 100);
        let [speaker, old, young] = [(); 3].map(|()| registry.admit(None, true).unwrap());
        speaker.login_started();
        // What they say may be under way.
        assert_eq!(registry.admit(None, true).unwrap_err(), RejectReason::UnauthenticatedLimit);
        advance(MIN_SILENCE).await;
        let next = registry.admit(None, true).unwrap();
        assert!(is_told(&old) && !is_told(&young) && !is_told(&speaker));
        old.set_address(from("1.1.1.1")).unwrap();
        // Whoever has been ended does not count, whenever it goes.
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
    fn whoever_has_many_networks_of_version_6_has_not_as_many_places() {
        let registry = registry(1000, 2);
        let of = |third: u16, fourth: u16| Some(IpAddr::from([0x2001, 0xdb8, third, fourth, 0, 0, 0, 1]));
        let mut inside = Vec::new();
        // As many as four addresses may have of 56 bits, as sixteen of 48.
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
    async fn the_oldest_of_the_largest_network_makes_room() {
        let registry = registry(5, 2);
        let come = |address: &str| registry.admit(from(address), true).unwrap();
        let alone = come("10.0.0.1");
        let crowd = ["2001:db8:1::1", "2001:db8:1:1::1", "2001:db8:1:200::1"].map(come);
        let other = come("10.0.1.1");
        // It has more than an address may have, so it is not waited for.
        let first = come("10.0.2.1");
        assert!(is_told(&crowd[0]) && !is_told(&alone) && !is_told(&other));
        // The others have time to send something.
        assert_eq!(registry.admit(from("10.0.3.1"), true).unwrap_err(), RejectReason::UnauthenticatedLimit);
        advance(MIN_SILENCE).await;
        let second = come("10.0.3.1");
        assert!(is_told(&crowd[1]));
        // Of networks of the same size, it is the oldest.
        let third = come("10.0.4.1");
        assert!(is_told(&alone) && !is_told(&crowd[2]) && !is_told(&first));
        drop((second, third));
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_login_that_is_looked_at_protects() {
        let registry = registry(2, 100);
        let [old, young] = [(); 2].map(|()| registry.admit(None, true).unwrap());
        advance(MIN_SILENCE).await;
        old.login_started();
        young.login_started();
        assert_eq!(registry.admit(None, true).unwrap_err(), RejectReason::UnauthenticatedLimit);
        young.login_failed();
        // It may try again at once.
        assert_eq!(registry.admit(None, true).unwrap_err(), RejectReason::UnauthenticatedLimit);
        advance(MIN_SILENCE).await;
        let _next = registry.admit(None, true).unwrap();
        assert!(is_told(&young) && !is_told(&old));
        young.login_failed();
        assert_eq!(count_of(&registry), (2, 1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_process_does_not_run_is_no_time_to_speak() {
        let registry = registry(1, 100);
        let _old = registry.admit(None, true).unwrap();
        simulate_stop(100 * MIN_SILENCE);
        advance(100 * MIN_SILENCE).await;
        assert_eq!(registry.admit(None, true).unwrap_err(), RejectReason::UnauthenticatedLimit);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_has_to_go_for_one_who_is_not_let_in() {
        let registry = registry(100, 1);
        let [old, own] = ["10.0.0.1", "10.0.0.2"].map(|address| registry.admit(from(address), true).unwrap());
        advance(MIN_SILENCE).await;
        let refused = registry.admit(from("10.0.0.2"), false).unwrap_err();
        assert_eq!(refused, RejectReason::UnauthenticatedLimitPerAddress);
        assert!(!is_told(&old) && !is_told(&own));
        let _next = registry.admit(from("10.0.0.3"), false).unwrap();
        assert!(is_told(&old));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_to_go_is_told_why() {
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
            let heard = ServerMessage::read(client.read().await.unwrap()).unwrap();
            let ServerMessage::Notice(notice) = heard else { panic!("{heard:?}") };
            assert!(notice.text.unwrap().contains("others"));
            drop(reader);
            assert!(client.read().await.is_err());
            assert!(!writer.is_connected() && old.begin_session(&writer).is_err());
        }
        let text = registry.metrics.text().unwrap();
        assert!(text.contains("server_connections_ended_total{reason=\"made room\"} 3\n"), "{text}");
    }
}
