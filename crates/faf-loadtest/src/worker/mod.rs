//! One thread with its share of the clients: it waits until a socket is ready, reads, counts, and does what is ordered.

mod entrance;
mod hearing;

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use faf_protocol::WireFormat;
use mio::{Events, Poll, Token};

use crate::client::{Client, Common, Order};
use crate::login::Needles;
use crate::marker::MarkerFinder;
use crate::sample::Sample;
use crate::timers::{Task, Timer, Timers};

/// Wakes the thread for an order.
pub(crate) const ORDERS: Token = Token(usize::MAX);

/// Room for what is read at once, for all connections of a thread.
const BUFFER: usize = 256 * 1024;

/// Events taken from the kernel at once.
const EVENTS: usize = 1024;

/// The thread's share.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) poll: Poll,
    pub(crate) orders: Receiver<Order>,
    pub(crate) common: Arc<Common>,
    pub(crate) shared: Arc<Mutex<Sample>>,
    pub(crate) clients: Vec<Client>,
    formats: [ForFormat; 3],
    moved: Option<Vec<SocketAddr>>,
    timers: Timers,
    buffer: Vec<u8>,
    /// What has been seen since the thread last waited.
    sample: Sample,
    /// Who is to log in.
    queue: VecDeque<usize>,
    logging_in: usize,
    at_once: usize,
    retry: bool,
}

/// What to look for in each format.
#[derive(Debug)]
struct ForFormat {
    needles: Needles,
    markers: MarkerFinder,
}

impl Worker {
    pub(crate) fn new(
        poll: Poll,
        orders: Receiver<Order>,
        common: Arc<Common>,
        shared: Arc<Mutex<Sample>>,
        clients: Vec<Client>,
    ) -> Self {
        Self {
            poll,
            orders,
            common,
            shared,
            clients,
            formats: WireFormat::ALL.map(|format| ForFormat {
                needles: Needles::new(format),
                markers: MarkerFinder::new(format),
            }),
            moved: None,
            timers: Timers::default(),
            buffer: vec![0; BUFFER],
            sample: Sample::default(),
            queue: VecDeque::new(),
            logging_in: 0,
            at_once: 1,
            retry: false,
        }
    }

    /// Works until it is told to stop.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let wait = if self.may_begin() { Some(Duration::ZERO) } else { self.timers.wait(Instant::now()) };
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                    self.sample.fail(|| format!("waiting for sockets: {error}"));
                    self.publish();
                    return;
                }
                _ => {}
            }
            for event in &events {
                if event.token() != ORDERS {
                    self.handle(event);
                }
            }
            while let Ok(order) = self.orders.try_recv() {
                if matches!(order, Order::Stop) {
                    return;
                }
                self.follow(order);
            }
            while let Some(timer) = self.timers.take_due(Instant::now()) {
                self.carry_out(timer);
            }
            self.begin_logins();
            self.publish();
        }
    }

    fn publish(&mut self) {
        let sample = std::mem::take(&mut self.sample);
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).add(sample);
    }

    fn follow(&mut self, order: Order) {
        match order {
            Order::LogIn { clients, at_once, retry } => {
                (self.at_once, self.retry) = (at_once, retry);
                self.queue.extend(clients);
            }
            Order::Cycle { clients, at_once, pause } => {
                self.at_once = at_once;
                for client in clients {
                    self.clients[client].cycles = Some(pause);
                    self.queue.push_back(client);
                }
            }
            Order::LogOut { clients } => {
                let leaving: HashSet<_> = clients.iter().copied().collect();
                self.queue.retain(|client| !leaving.contains(client));
                for client in clients {
                    self.clients[client].cycles = None;
                    self.close(client);
                }
            }
            Order::Read { clients, reading } => {
                for client in clients {
                    self.set_reading(client, reading);
                }
            }
            Order::Cue(cue) => {
                for client in 0..self.clients.len() {
                    self.act(client, |actor, cues| actor.cue(cue, cues));
                }
            }
            Order::Move(addresses) => self.moved = Some(addresses),
            Order::Stop => {}
        }
    }

    fn carry_out(&mut self, Timer { client, connection, task, .. }: Timer) {
        if self.clients[client].connections != connection {
            return;
        }
        match task {
            Task::Wake => self.act(client, |actor, cues| actor.due(cues)),
            Task::Trickle => {
                let Some(peer) = &mut self.clients[client].connection else { return };
                match peer.read(&mut self.buffer[..1]) {
                    Ok(Some(0)) | Err(_) => self.lose(client, "the end of the stream"),
                    Ok(_) => self.later(client, Duration::from_secs(1), Task::Trickle),
                }
            }
            Task::Retry if self.retry || self.clients[client].cycles.is_some() => {
                self.queue.push_back(client);
            }
            // It was told to stay away.
            Task::Retry => {}
            Task::Return => self.queue.push_back(client),
        }
    }

    fn later(&mut self, client: usize, wait: Duration, task: Task) {
        let connection = self.clients[client].connections;
        self.timers.add(Timer { at: Instant::now() + wait, client, connection, task });
    }
}
