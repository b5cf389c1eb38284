//! A client of the FAF lobby: connect, log in, read and write typed messages.
//!
//! ```text
//!  "wss://lobby.example.org"
//!        | parse
//!        v       connect              login             read, write
//!       Url ---------------> Client ----------> Welcome <----------> ServerMessage, ClientMessage
//!            TCP, TLS, upgrade        ask_session,       pings are answered
//!                                     hello or auth
//! ```
//!
//! ```no_run
//! use faf_client::{Client, Credentials};
//! use faf_client::faf_protocol::ServerMessage;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect(&"tcp://localhost:8002".parse()?).await?;
//! let welcome = client.login(&Credentials::password("Ada", "secret")).await?;
//! println!("{} has the id {}", welcome.login, welcome.id);
//! while let ServerMessage::PlayerInfo(list) = client.read().await? {
//!     println!("{} players are online", list.players.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Client`] is all that most programs need. Those that connect in their own way, to pass messages
//! on for example, use a [`Connector`], and take the connection out of the client with
//! [`Client::into_connection`]. Programs without tokio use [`Url`] and [`Credentials`] alone.

mod client;
mod connector;
mod credentials;
mod url;

pub use client::{Client, Incoming, LoginError};
pub use connector::{ConnectError, Connector};
#[cfg(feature = "tls")]
pub use connector::{Trust, TrustError};
pub use credentials::{Credentials, Identity};
/// For [`Connector::headers`].
pub use hyper::header::{HeaderName, HeaderValue};
pub use url::{InvalidUrl, Url};
pub use {faf_connection, faf_protocol};
