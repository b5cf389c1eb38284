//! Collects effects to packets, as few as their order allows.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::effect::Piece;
use crate::ids::GatewayId;

/// Bytes of effects after which a packet is complete: 256 KiB, a quarter of what NATS allows.
const PACKET_BYTES: usize = 256 * 1024;

/// Consecutive effects for one gateway or for all.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) first: BTreeMap<GatewayId, u64>,
    pub(crate) effects: Vec<Arc<RawValue>>,
    bytes: usize,
}

impl Run {
    /// Returns whether effects with these numbers follow those that are here.
    fn goes_on_with(&self, numbers: &BTreeMap<GatewayId, u64>) -> bool {
        let length = self.effects.len() as u64;
        self.bytes < PACKET_BYTES
            && self.first.len() == numbers.len()
            && self
                .first
                .iter()
                .zip(numbers)
                .all(|(first, number)| first.0 == number.0 && first.1 + length == *number.1)
    }

    fn push(&mut self, piece: Piece) {
        self.bytes += piece.get().len();
        self.effects.push(piece);
    }
}

/// Effects that were not sent yet.
#[derive(Debug, Default)]
pub(crate) struct Packets {
    own: BTreeMap<GatewayId, Run>,
    shared: Option<Run>,
    complete: Vec<(Option<GatewayId>, Run)>,
}

impl Packets {
    pub(crate) fn own(&mut self, gateway: GatewayId, number: u64, piece: Piece) {
        let numbers = BTreeMap::from([(gateway, number)]);
        match self.own.get_mut(&gateway) {
            Some(run) if run.goes_on_with(&numbers) => run.push(piece),
            _ => {
                let mut run = Run { first: numbers, ..Run::default() };
                run.push(piece);
                let before = self.own.insert(gateway, run);
                self.complete.extend(before.map(|run| (Some(gateway), run)));
            }
        }
    }

    pub(crate) fn shared(&mut self, numbers: BTreeMap<GatewayId, u64>, piece: Piece) {
        match &mut self.shared {
            Some(run) if run.goes_on_with(&numbers) => run.push(piece),
            _ => {
                let mut run = Run { first: numbers, ..Run::default() };
                run.push(piece);
                self.complete.extend(self.shared.replace(run).map(|run| (None, run)));
            }
        }
    }

    /// Returns all effects, each run with the gateway that it is for, or `None` for all.
    pub(crate) fn take(&mut self) -> Vec<(Option<GatewayId>, Run)> {
        let mut runs = std::mem::take(&mut self.complete);
        runs.extend(self.shared.take().map(|run| (None, run)));
        runs.extend(std::mem::take(&mut self.own).into_iter().map(|(gateway, run)| (Some(gateway), run)));
        runs
    }

    /// Drops all effects.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
