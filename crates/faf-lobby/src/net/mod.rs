//! How clients get in and are read: from an accepted socket to a session that passes messages on.
//!
//! | file | question it settles |
//! | --- | --- |
//! | [`listener`] | who may connect |
//! | [`handshake`] | what comes before the first message: PROXY header, upgrade to WebSocket |
//! | [`unauthenticated`] | how many connections may be open without a login, and which one is ended for another |
//! | [`rejection`] | why a connection is rejected, and what the client is told |
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
pub(crate) mod unauthenticated;
