//! [`ConnId`]: the id of a connection.

use serde::{Deserialize, Serialize};

/// Id of a connection. It is not used again after the connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnId(pub u64);
