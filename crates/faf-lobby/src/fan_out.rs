//! Who gets what: from connections of the lobby to outboxes of peers.
//!
//! A message is encoded once for every wire format that is in use among its receivers, and they share the bytes. What
//! one turn of the lobby has queued leaves with one vectored write for each receiver.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use faf_connection::{Error, Writer};
use faf_lobby_core::{Audience, ConnId};
use faf_protocol::{ServerMessage, WireFormat};
use memmap2::MmapMut;
use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::session::Seat;

/// Everybody who is connected.
#[derive(Debug)]
pub(crate) struct FanOut {
    peers: HashMap<ConnId, Peer>,
    /// Connections that are logged in.
    logged_in: Vec<(ConnId, Writer)>,
    /// Connections that were sent something in this turn.
    touched: Vec<(ConnId, Writer)>,
    /// Whether those that are logged in were.
    are_all_touched: bool,
    /// Places among those that are logged in that are left out of a message; all false between messages.
    left_out: Vec<bool>,
    metrics: Arc<Metrics>,
}

/// The lobby's hold on a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    writer: Writer,
    seat: Arc<Seat>,
    /// Where it is among those that are logged in.
    place: Option<usize>,
    /// When the message was read that is being dealt with.
    received: Option<Instant>,
}

impl Peer {
    pub(crate) fn new(writer: Writer, seat: Arc<Seat>) -> Self {
        Self { writer, seat, place: None, received: None }
    }

    /// Ends the connection behind what was sent to it.
    pub(crate) fn close(&self) {
        self.writer.start_close();
        self.seat.signal.notify_one();
    }
}

impl FanOut {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        let (peers, logged_in, touched) = (HashMap::new(), Vec::new(), Vec::new());
        Self { peers, logged_in, touched, are_all_touched: false, left_out: Vec::new(), metrics }
    }

    pub(crate) fn connect(&mut self, conn: ConnId, peer: Peer) {
        self.peers.insert(conn, peer);
    }

    /// Forgets a connection that has ended.
    pub(crate) fn disconnect(&mut self, conn: ConnId) -> Option<Peer> {
        let peer = self.peers.remove(&conn)?;
        if let Some(place) = peer.place {
            self.logged_in.swap_remove(place);
            if let Some((moved, _)) = self.logged_in.get(place)
                && let Some(moved) = self.peers.get_mut(moved)
            {
                moved.place = Some(place);
            }
        }
        Some(peer)
    }

    /// Ends a connection behind what was sent to it.
    pub(crate) fn close(&mut self, conn: ConnId) {
        if let Some(peer) = self.disconnect(conn) {
            peer.close();
        }
    }

    /// From now on the connection hears what everybody hears.
    pub(crate) fn log_in(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn)
            && peer.place.is_none()
        {
            peer.place = Some(self.logged_in.len());
            self.logged_in.push((conn, peer.writer.clone()));
            peer.seat.log_in();
        }
    }

    /// The connection's place, for what is done on its behalf.
    pub(crate) fn seat(&self, conn: ConnId) -> Option<Arc<Seat>> {
        self.peers.get(&conn).map(|peer| Arc::clone(&peer.seat))
    }

    /// Notes when a message was read; the time until it is [`done`](Self::done) counts.
    pub(crate) fn received(&mut self, conn: ConnId, read_at: Instant) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            // What is read while another message is dealt with is not measured.
            peer.received.get_or_insert(read_at);
        }
    }

    /// Notes that a message is dealt with.
    pub(crate) fn done(&mut self, conn: ConnId) {
        if let Some(read_at) = self.peers.get_mut(&conn).and_then(|peer| peer.received.take()) {
            self.metrics.observe_message(read_at.elapsed());
        }
    }

    /// Lets the session read again.
    pub(crate) fn ready(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.get(&conn) {
            peer.seat.signal.notify_one();
        }
    }

    /// Queues a message for its receivers.
    pub(crate) fn send(&mut self, to: &Audience, message: &ServerMessage) {
        let mut frames = Frames::of(message);
        match to {
            Audience::One(conn) => self.queue(*conn, &mut frames),
            Audience::Several(conns) => conns.iter().for_each(|conn| self.queue(*conn, &mut frames)),
            Audience::LoggedIn => {
                for (_, writer) in &self.logged_in {
                    queue(writer, &mut frames, &self.metrics);
                }
                self.are_all_touched = true;
            }
            Audience::LoggedInExcept(conns) => {
                self.leave_out(conns, true);
                for ((_, writer), _) in self.logged_in.iter().zip(&self.left_out).filter(|(_, out)| !**out) {
                    queue(writer, &mut frames, &self.metrics);
                }
                self.leave_out(conns, false);
                self.are_all_touched = true;
            }
        }
    }

    /// Marks the places of connections, or takes the marks back. So it costs something for each that is left out, and for
    /// each receiver no more than a look at its mark.
    fn leave_out(&mut self, conns: &[ConnId], mark: bool) {
        self.left_out.resize(self.logged_in.len(), false);
        for place in conns.iter().filter_map(|conn| self.peers.get(conn)?.place) {
            self.left_out[place] = mark;
        }
    }

    /// Hands over what this turn has queued.
    pub(crate) fn flush(&mut self) {
        if std::mem::take(&mut self.are_all_touched) {
            self.logged_in.iter().for_each(|(_, writer)| writer.flush());
        }
        self.touched.drain(..).for_each(|(_, writer)| writer.flush());
    }

    fn queue(&mut self, conn: ConnId, frames: &mut Frames<'_>) {
        let Some(peer) = self.peers.get(&conn) else { return };
        queue(&peer.writer, frames, &self.metrics);
        if self.touched.last().is_none_or(|(last, _)| *last != conn) {
            self.touched.push((conn, peer.writer.clone()));
        }
    }
}

fn queue(writer: &Writer, frames: &mut Frames<'_>, metrics: &Metrics) {
    let Some(frame) = frames.get(writer.format()) else { return };
    match writer.queue_raw(frame, 1) {
        Ok(()) => {}
        Err(Error::OutboxFull(full)) => {
            tracing::info!(waiting = full.waiting, "a client does not keep up and is disconnected");
            metrics.count_ended("too slow");
            writer.abort();
        }
        // Its end is noticed by the session.
        Err(_) => {}
    }
}

/// A message as bytes, in the formats that were asked for so far.
struct Frames<'a> {
    message: &'a ServerMessage,
    encoded: [Option<Bytes>; WireFormat::ALL.len()],
}

impl<'a> Frames<'a> {
    fn of(message: &'a ServerMessage) -> Self {
        Self { message, encoded: Default::default() }
    }

    /// None if the message cannot be expressed, which would be a mistake of the lobby.
    fn get(&mut self, format: WireFormat) -> Option<Bytes> {
        let encoded = &mut self.encoded[format as usize];
        if encoded.is_none() {
            match format.encode(self.message) {
                Ok(frame) => *encoded = Some(outside_of_heap(frame)),
                Err(error) => tracing::error!(%error, %format, "a message cannot be encoded and is not sent"),
            }
        }
        encoded.clone()
    }
}

/// From this size on, in bytes, a frame does not stay in the heap.
const LARGE_FRAME: usize = 256 * 1024;

/// A large frame in memory of its own, which goes back to the operating system as soon as its last receiver has it.
///
/// When thousands return at once, lists of all players wait for many of them. In the heap, what they leave would stay with
/// the process: everything small that was allocated meanwhile lies between.
fn outside_of_heap(frame: Bytes) -> Bytes {
    if frame.len() < LARGE_FRAME {
        return frame;
    }
    match MmapMut::map_anon(frame.len()) {
        Ok(mut memory) => {
            memory.copy_from_slice(&frame);
            Bytes::from_owner(memory)
        }
        Err(_) => frame,
    }
}

#[cfg(test)]
mod tests {
    use faf_connection::{Reader, Settings, open};
    use tokio::sync::Semaphore;

    use super::*;
    use crate::store::Store;

    fn connection(format: WireFormat, settings: impl FnOnce(&mut Settings)) -> (Reader, Peer, Reader) {
        let (here, there) = tokio::io::duplex(1024);
        let mut ours = Settings::new(format);
        settings(&mut ours);
        let (reader, writer) = open(here, ours);
        let theirs = Settings { role: faf_protocol::websocket::Role::Client, ..Settings::new(format) };
        let (client, _) = open(there, theirs);
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let (newcomers, _folder) = crate::newcomers::tests::newcomers(1, 1);
        (reader, Peer::new(writer, Seat::new(place, newcomers.admit(None).unwrap())), client)
    }

    fn fan_out() -> (FanOut, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("test.sqlite")).unwrap();
        (FanOut::new(Arc::new(Metrics::new(store))), folder)
    }

    #[tokio::test]
    async fn everybody_who_is_logged_in_hears_a_broadcast_in_their_format() {
        let (mut fan_out, _folder) = fan_out();
        let mut clients = Vec::new();
        for (number, format) in (0..).zip(WireFormat::ALL.into_iter().chain(WireFormat::ALL)) {
            let (reader, peer, client) = connection(format, |_| {});
            fan_out.connect(ConnId(number), peer);
            fan_out.log_in(ConnId(number));
            clients.push((reader, client));
        }
        fan_out.close(ConnId(1));
        fan_out.send(&Audience::LoggedIn, &ServerMessage::Ping);
        fan_out.send(&Audience::Several(vec![ConnId(0), ConnId(5), ConnId(77)]), &ServerMessage::Pong);
        fan_out.flush();
        for (number, (_, client)) in clients.iter_mut().enumerate() {
            let mut expected = vec!["ping"];
            match number {
                1 => expected.clear(),
                0 | 5 => expected.push("pong"),
                _ => {}
            }
            for command in expected {
                assert_eq!(
                    client.read().await.unwrap().command().as_deref(),
                    Some(command),
                    "client {number}"
                );
            }
        }
        assert!(clients[1].1.read().await.is_err());
    }

    #[tokio::test]
    async fn some_can_be_left_out() {
        let (mut fan_out, _folder) = fan_out();
        let mut clients = Vec::new();
        for number in 0..6 {
            let (reader, peer, client) = connection(WireFormat::SimpleJson, |_| {});
            fan_out.connect(ConnId(number), peer);
            // The last one has not logged in.
            if number < 5 {
                fan_out.log_in(ConnId(number));
            }
            clients.push((reader, client));
        }
        // Whoever came last takes the place of whoever goes.
        fan_out.close(ConnId(0));
        let but = [4, 2, 4, 0, 5, 77].map(ConnId).to_vec();
        fan_out.send(&Audience::LoggedInExcept(but), &ServerMessage::Ping);
        fan_out.send(&Audience::LoggedInExcept(Vec::new()), &ServerMessage::Pong);
        fan_out.flush();
        for (number, expected) in
            [(1, vec!["ping", "pong"]), (2, vec!["pong"]), (3, vec!["ping", "pong"]), (4, vec!["pong"])]
        {
            for command in expected {
                let heard = clients[number].1.read().await.unwrap();
                assert_eq!(heard.command().as_deref(), Some(command), "client {number}");
            }
        }
        fan_out.close(ConnId(5));
        assert!(clients[5].1.read().await.is_err());
    }

    #[test]
    fn large_frames_are_the_same_outside_of_the_heap() {
        for length in [0, LARGE_FRAME - 1, LARGE_FRAME, LARGE_FRAME + 1] {
            let frame: Bytes = (0..length).map(|index| index as u8).collect();
            assert_eq!(outside_of_heap(frame.clone()), frame);
        }
    }

    #[tokio::test]
    async fn whoever_does_not_keep_up_is_disconnected_alone() {
        let (mut fan_out, _folder) = fan_out();
        let (_slow_reader, slow, _slow_client) =
            connection(WireFormat::SimpleJson, |settings| settings.outbox_limit = 100);
        let (_reader, good, mut client) = connection(WireFormat::SimpleJson, |_| {});
        let slow_writer = slow.writer.clone();
        for (conn, peer) in [(ConnId(1), slow), (ConnId(2), good)] {
            fan_out.connect(conn, peer);
            fan_out.log_in(conn);
        }
        for _ in 0..10 {
            fan_out.send(&Audience::LoggedIn, &ServerMessage::Ping);
        }
        fan_out.flush();
        assert!(!slow_writer.is_connected());
        for _ in 0..10 {
            assert_eq!(client.read().await.unwrap().command().as_deref(), Some("ping"));
        }
        assert!(
            fan_out.metrics.text().unwrap().contains("server_connections_ended_total{reason=\"too slow\"} 1")
        );
    }
}
