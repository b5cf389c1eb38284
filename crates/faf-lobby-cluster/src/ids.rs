//! The ids of a cluster.

use std::fmt;

use faf_lobby_core::ConnId;
use serde::{Deserialize, Serialize};

/// Number of bits of a [`ConnId`] that count the connections of one gateway.
const CONNECTION_BITS: u32 = 40;

/// Number of a gateway, from 1. A gateway that starts again gets another one, and none is given
/// twice in the life of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GatewayId(pub u32);

impl GatewayId {
    /// Returns the id of this gateway's connection with this number, of which 40 bits count: a
    /// gateway that accepts 1,000 connections a second has enough for 34 years.
    #[must_use]
    pub fn connection(self, number: u64) -> ConnId {
        ConnId((u64::from(self.0) << CONNECTION_BITS) | (number & ((1 << CONNECTION_BITS) - 1)))
    }

    /// Returns the number of a connection at its gateway.
    #[must_use]
    pub fn number(conn: ConnId) -> u64 {
        conn.0 & ((1 << CONNECTION_BITS) - 1)
    }

    /// Returns the gateway of a connection.
    #[must_use]
    pub fn of(conn: ConnId) -> Self {
        Self(u32::try_from(conn.0 >> CONNECTION_BITS).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gateway {}", self.0)
    }
}

/// Number of a leadership, one above that of the last. Zero before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Returns the epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Random number of a world: of everything that follows from one beginning. If the stream
/// is lost, a new world begins, which has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorldId(pub u64);

/// Random number by which a gateway or a core recognises what was meant for it before it had
/// another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(pub u64);

/// Name of a core: unique in the cluster at any time, and another one after each start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CoreName(pub String);

impl fmt::Display for CoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_names_its_gateway() {
        let conn = GatewayId(7).connection(3);
        assert_eq!((GatewayId::of(conn), GatewayId::number(conn)), (GatewayId(7), 3));
        assert_ne!(conn, GatewayId(8).connection(3));
        assert_ne!(conn, GatewayId(7).connection(4));
    }
}
