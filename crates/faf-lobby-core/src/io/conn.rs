//! [`ConnId`]: the name of a connection.

use serde::{Deserialize, Serialize};

/// A connection, as the lobby knows it. Never used again after it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnId(pub u64);
