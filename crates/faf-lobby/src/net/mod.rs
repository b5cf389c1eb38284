//! From an accepted socket to a session that passes a client's messages to the lobby.
//!
//! | file | question it answers |
//! | --- | --- |
//! | [`sockets`] | on which addresses the server listens |
//! | [`listener`] | who may connect |
//! | [`handshake`] | what precedes the first message: PROXY header, upgrade to WebSocket |
//! | [`unauthenticated`] | how many connections may lack a login, and which one makes room |
//! | [`rejection`] | why a connection is rejected, and what its client receives |
//! | [`fd_budget`] | how many file descriptors connections may use |
//! | [`read_gate`] | whether the next message of a connection may be read |
//! | [`session`] | how messages of one connection reach the lobby |
//! | [`slot`] | what the session and the rest of the server share of one connection |
//! | [`country`] | which country an address is in |

pub(crate) mod country;
pub(crate) mod fd_budget;
mod handshake;
pub(crate) mod listener;
pub(crate) mod read_gate;
pub(crate) mod rejection;
pub(crate) mod session;
pub(crate) mod slot;
pub(crate) mod sockets;
pub(crate) mod unauthenticated;
