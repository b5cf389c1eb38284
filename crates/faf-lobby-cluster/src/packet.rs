//! Messages between cores and gateways that are not in the stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ids::{Epoch, GatewayId, Nonce, WorldId};
use crate::message::FORMAT;

/// A message of the leading core to gateways.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Packet {
    /// Version of the format.
    pub faf_lobby: u32,
    /// The world that the core runs.
    pub world: WorldId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The content.
    pub content: PacketContent,
}

/// The content of a packet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum PacketContent {
    /// Consecutive effects.
    Effects {
        /// Number of the first one in the line of each gateway that they are for.
        first: BTreeMap<GatewayId, u64>,
        /// The effects, or pieces of long ones.
        effects: Vec<Arc<RawValue>>,
    },
    /// Sent from time to time, and by a core that begins to lead: a gateway that lacks effects
    /// notices it, and one that is not listed was given up.
    Standing {
        /// Number of the next effect of each gateway.
        next: BTreeMap<GatewayId, u64>,
        /// The newest gateway when this was sent. Later ones cannot be listed.
        newest: GatewayId,
    },
    /// A gateway has joined.
    Welcome {
        /// The nonce with which it has asked.
        nonce: Nonce,
        /// Its number.
        gateway: GatewayId,
    },
    /// Effects that a gateway asked for are not kept any more.
    Lost {
        /// The gateway.
        gateway: GatewayId,
        /// Number of the first effect that is kept.
        first: u64,
    },
}

impl Packet {
    pub(crate) fn new(world: WorldId, epoch: Epoch, content: PacketContent) -> Self {
        Self { faf_lobby: FORMAT, world, epoch, content }
    }

    /// Returns the packet as JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("packets are JSON: their maps have numbers as keys")
    }

    /// Reads a packet; `None` for anything else, and for a packet of another version.
    #[must_use]
    pub fn decode(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok().filter(|packet: &Self| packet.faf_lobby == FORMAT)
    }
}

/// A question of a gateway to the leading core: it lacks effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingEffects {
    /// Version of the format.
    pub faf_lobby: u32,
    /// The gateway.
    pub gateway: GatewayId,
    /// Number of the first effect that it lacks.
    pub first: u64,
    /// Number of the first one after those.
    pub end: u64,
}

impl MissingEffects {
    /// Returns the question as JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers are JSON")
    }

    /// Reads a question; `None` for anything else, and for a question of another version.
    #[must_use]
    pub fn decode(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok().filter(|question: &Self| question.faf_lobby == FORMAT)
    }
}
