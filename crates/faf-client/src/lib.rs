//! A client of the FAF lobby: connect, log in, read and write typed messages.
//!
//! ```text
//!  "wss://lobby.example.org"
//!        | parse
//!        v       connect              login             read, write
//!       Url ---------------> Client ----------> Welcome <----------> ServerMessage, ClientMessage
//!            TCP, TLS, upgrade        ask_session,       replies to pings
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
//! [`Client`] is enough for most programs. Programs that connect in their own way, for example to
//! pass messages on, use a [`Connector`], and take the connection from the client with
//! [`Client::into_connection`]. Programs without tokio use [`Url`] and [`Credentials`] only.

mod client;
mod connector;
mod credentials;
mod server_stream;
mod url;

pub use client::{Client, Incoming, LoginError};
pub use connector::{ConnectError, Connector};
#[cfg(feature = "tls")]
pub use connector::{Trust, TrustError};
pub use credentials::{Credentials, Identity};
/// For use in [`Connector::headers`].
pub use hyper::header::{HeaderName, HeaderValue};
pub use server_stream::ServerStream;
pub use url::{InvalidUrl, Url};
pub use {faf_connection, faf_protocol};
