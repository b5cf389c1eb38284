//! A stream and subjects in memory, in place of NATS, for tests.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use faf_lobby_cluster::{Epoch, FORMAT, GatewayId, Packet, PacketContent, WorldId};
use faf_lobby_core::Timestamp;
use tokio::sync::mpsc;

use super::bus::{BUS_EVENTS, Bus, BusCommand, BusEvent};
use crate::clock::utc_now;

/// The stream of a cluster, and the messages between its processes. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryNats(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    stream: Vec<(Timestamp, Bytes)>,
    ids: HashSet<String>,
    buses: Vec<End>,
    is_away: bool,
    /// Whether the next message to gateways is lost.
    loses_next: bool,
}

/// The end of a process's bus.
#[derive(Debug)]
struct End {
    number: usize,
    kind: Kind,
    events: mpsc::UnboundedSender<BusEvent>,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Core,
    Gateway(Option<GatewayId>),
}

impl MemoryNats {
    /// Returns a bus for a gateway.
    pub(crate) fn gateway(&self) -> Bus {
        self.attach(Kind::Gateway(None), 0)
    }

    /// Returns a bus for a core that has read this many messages of the stream.
    pub(crate) fn core(&self, position: u64) -> Bus {
        self.attach(Kind::Core, position)
    }

    /// Makes the stream and all subjects unreachable, or reachable again.
    pub(crate) fn set_away(&self, is_away: bool) {
        let mut state = self.lock();
        state.is_away = is_away;
        let event = if is_away { BusEvent::Disconnected } else { BusEvent::Reconnected };
        state.buses.retain(|end| end.events.send(event.clone()).is_ok());
    }

    /// Forgets the stream, as if a new one had taken its place.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        (state.stream, state.ids) = Default::default();
        state.buses.retain(|end| end.kind != Kind::Core);
    }

    /// Loses the next message to gateways.
    pub(crate) fn lose_next(&self) {
        self.lock().loses_next = true;
    }

    /// Sends gateways what a leader of another world would.
    pub(crate) fn announce_other_world(&self) {
        let content = PacketContent::Standing { next: BTreeMap::new(), newest: GatewayId(0) };
        let packet = Packet { faf_lobby: FORMAT, world: WorldId(0), epoch: Epoch(1), content };
        self.lock().message(packet.encode().into(), |kind| matches!(kind, Kind::Gateway(_)));
    }

    /// Ends all buses, for a reason that does not pass.
    pub(crate) fn fail(&self, reason: &str) {
        self.lock().send(&BusEvent::Failed(reason.to_owned()), |_| true);
    }

    /// Returns the number of messages in the stream.
    pub(crate) fn length(&self) -> usize {
        self.lock().stream.len()
    }

    fn attach(&self, kind: Kind, position: u64) -> Bus {
        let (commands, mut asked) = mpsc::unbounded_channel();
        let (queue, mut queued) = mpsc::unbounded_channel();
        let (sender, events) = mpsc::channel(BUS_EVENTS);
        let mut state = self.lock();
        let number = state.buses.iter().map(|end| end.number + 1).max().unwrap_or_default();
        if kind == Kind::Core {
            let missed = (1..).zip(&state.stream).skip(position as usize);
            missed.for_each(|(sequence, (time, payload))| {
                let payload = payload.clone();
                queue.send(BusEvent::Entry { sequence, time: *time, payload }).unwrap();
            });
        }
        state.buses.push(End { number, kind, events: queue });
        drop(state);
        let nats = self.clone();
        tokio::spawn(async move {
            while let Some(command) = asked.recv().await {
                nats.lock().execute(number, command);
            }
            nats.lock().buses.retain(|end| end.number != number);
        });
        tokio::spawn(async move {
            while let Some(event) = queued.recv().await {
                if sender.send(event).await.is_err() {
                    return;
                }
            }
        });
        Bus { commands, events }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn execute(&mut self, from: usize, command: BusCommand) {
        match command {
            BusCommand::Append { number, id, payload } => {
                let outcome = match (number, self.is_away) {
                    (Some(number), true) => Some(BusEvent::NotAppended { number, is_full: false }),
                    (Some(number), false) => Some(BusEvent::Appended(number)),
                    (None, _) => None,
                };
                if !self.is_away && self.ids.insert(id) {
                    let (time, payload) = (utc_now(), Bytes::from_owner(payload));
                    self.stream.push((time, payload.clone()));
                    let sequence = self.stream.len() as u64;
                    self.send(&BusEvent::Entry { sequence, time, payload }, |kind| *kind == Kind::Core);
                }
                if let Some(outcome) = outcome {
                    let own = self.buses.iter().find(|end| end.number == from);
                    own.into_iter().for_each(|end| drop(end.events.send(outcome.clone())));
                }
            }
            BusCommand::ToGateway(gateway, payload) => {
                self.message(payload, |kind| *kind == Kind::Gateway(Some(gateway)));
            }
            BusCommand::ToAll(payload) => self.message(payload, |kind| matches!(kind, Kind::Gateway(_))),
            BusCommand::ToCores(payload) => {
                if !self.is_away {
                    self.send(&BusEvent::Message(payload), |kind| *kind == Kind::Core);
                }
            }
            BusCommand::ListenAs(gateway) => {
                let own = self.buses.iter_mut().find(|end| end.number == from);
                own.into_iter().for_each(|end| end.kind = Kind::Gateway(Some(gateway)));
            }
        }
    }

    fn message(&mut self, payload: Bytes, to: impl Fn(&Kind) -> bool) {
        if !self.is_away && !std::mem::take(&mut self.loses_next) {
            self.send(&BusEvent::Message(payload), to);
        }
    }

    fn send(&mut self, event: &BusEvent, to: impl Fn(&Kind) -> bool) {
        self.buses.retain(|end| !to(&end.kind) || end.events.send(event.clone()).is_ok());
    }
}
