//! The wire protocol of the FAF lobby: bytes to messages and back, without any I/O.
//!
//! ```text
//!            decode                      read
//!  bytes ==============>  Message  ================>  ClientMessage, ServerMessage
//!        <==============           <===============   GpgNetMessage
//!            encode      JSON object      encode      one struct a command
//! ```
//!
//! Clients and servers exchange JSON objects, in one of three wire formats. The game itself speaks
//! GPGNet, whose commands travel inside lobby messages.
//!
//! ```
//! use bytes::BytesMut;
//! use faf_protocol::{ClientMessage, Decoded, Decoder, Limits, ServerMessage, WireFormat};
//!
//! let line = "{\"command\": \"ask_session\", \"user_agent\": \"my-client\"}\n";
//! let mut received = BytesMut::from(line);
//! let mut decoder = Decoder::new(WireFormat::SimpleJson, Limits::default());
//! if let Some(Decoded::Message(message)) = decoder.decode(&mut received)? {
//!     let ClientMessage::AskSession(request) = ClientMessage::read(message)? else { panic!() };
//!     assert_eq!(request.user_agent.as_deref(), Some("my-client"));
//! }
//! let pong = WireFormat::WebSocket.encode(&ServerMessage::Pong)?;
//! assert_eq!(pong[..], *b"\x81\x13{\"command\":\"pong\"}\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | in the field | here |
//! | --- | --- |
//! | QDataStream, `QDataStreamProtocol` | [`WireFormat::QDataStream`], [`qdatastream`] |
//! | SimpleJson, `SimpleJsonProtocol` | [`WireFormat::SimpleJson`], [`simple_json`] |
//! | WebSocket, `WebSocketProtocol` | [`WireFormat::WebSocket`], [`websocket`] |
//! | GPGNet, messages with `"target": "game"` | [`gpgnet`] |
//! | the game's own framing, `/gpgnet` | [`gpgnet::framing`] |
//! | a message, "a dict" | [`Message`] |
//! | commands of clients | [`client_message`] |
//! | commands of the server | [`server_message`] |
//!
//! [`contract`] says when each message may be sent. With the feature `schemas` it also describes
//! every message in both directions, from the same rows.
//!
//! Deliberate differences from the original server are listed in [`differences`].

pub mod client_message;
pub mod contract;
mod country;
#[doc = include_str!("differences.md")]
pub mod differences {}
mod error;
mod faction;
pub mod gpgnet;
mod ids;
pub mod json;
pub mod limits;
mod message;
#[cfg(feature = "password-digest")]
mod password_digest;
pub mod qdatastream;
mod secret;
pub mod server_message;
pub mod simple_json;
pub mod websocket;
mod wire;

pub use client_message::{ClientCommand, ClientMessage, CommandError};
pub use country::{Country, InvalidCountry};
pub use error::{DecodeError, EncodeError, FieldError, JsonKind, Malformed};
pub use faction::{Faction, Factions};
pub use ids::{BracketId, GameId, PlayerId, PoolEntryId, SessionNumber};
pub use json::{Json, JsonRef};
pub use limits::Limits;
pub use message::Message;
#[cfg(feature = "password-digest")]
pub use password_digest::password_digest;
pub use secret::Secret;
pub use server_message::ServerMessage;
pub use wire::{Decoded, Decoder, Encode, Encoding, Heartbeat, Properties, Scheme, Unfinished, WireFormat};
