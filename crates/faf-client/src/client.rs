use faf_connection::{Disconnected, Error, Reader, Writer};
use faf_protocol::server_message::Welcome;
use faf_protocol::{ClientMessage, Encode, Message, ServerMessage};

use crate::connector::{ConnectError, Connector};
use crate::credentials::{Credentials, Identity};
use crate::url::Url;

/// A client's connection to a lobby server. The connection ends when it is dropped.
#[derive(Debug)]
pub struct Client {
    incoming: Incoming,
    writer: Writer,
}

/// The receiving half of a [`Client`]. Dropping it ends the connection.
#[derive(Debug)]
pub struct Incoming {
    reader: Reader,
}

/// Reason why a login failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The server refused the login, for this reason. It may have closed the connection.
    #[error("the login was refused: {0}")]
    Refused(String),
    /// The connection was lost.
    #[error(transparent)]
    Connection(#[from] Error),
}

impl Client {
    /// Connects with the defaults of a [`Connector`].
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(url: &Url) -> Result<Self, ConnectError> {
        Connector::default().connect(url).await
    }

    /// Creates a client on a connection that was opened in another way, as [`Role::Client`].
    ///
    /// [`Role::Client`]: faf_protocol::websocket::Role::Client
    #[must_use]
    pub fn new(reader: Reader, writer: Writer) -> Self {
        Self { incoming: Incoming { reader }, writer }
    }

    /// Logs in, and returns the server's welcome. The lists of players and games follow it; see
    /// [`read`](Self::read). Use a time limit: a busy server may queue logins.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login(&mut self, credentials: &Credentials) -> Result<Welcome, LoginError> {
        self.login_as(credentials, &Identity::default()).await
    }

    /// Like [`login`](Self::login), with another name for the program.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login_as(
        &mut self,
        credentials: &Credentials,
        identity: &Identity,
    ) -> Result<Welcome, LoginError> {
        for message in credentials.messages(identity) {
            self.send(&message).await?;
        }
        // A notice explains a ban or a full server; the refusal itself may say less.
        let mut notice = None;
        loop {
            match self.read().await {
                Ok(ServerMessage::Welcome(welcome)) => return Ok(welcome),
                Ok(ServerMessage::Notice(text)) => notice = text.text.or(notice),
                Ok(ServerMessage::AuthenticationFailed(failed)) => {
                    return Err(LoginError::Refused(notice.unwrap_or(failed.text)));
                }
                Ok(_) => {}
                Err(Error::Disconnected(Disconnected::ByPeer)) if notice.is_some() => {
                    return Err(LoginError::Refused(notice.unwrap_or_default()));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads the next message from the server; see [`Incoming::read`].
    ///
    /// # Errors
    /// As [`Incoming::read`].
    pub async fn read(&mut self) -> Result<ServerMessage, Error> {
        self.incoming.read().await
    }

    /// Queues a message without waiting.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn write(&self, message: &(impl Encode + ?Sized)) -> Result<(), Error> {
        self.writer.write(message)
    }

    /// Sends a message and waits until the operating system has taken it, so that a server that
    /// does not read slows its client down.
    ///
    /// # Errors
    /// As [`Writer::send`].
    pub async fn send(&mut self, message: &(impl Encode + ?Sized)) -> Result<(), Error> {
        self.writer.send(message).await
    }

    /// Splits the client into two halves, which may be used in different tasks.
    #[must_use]
    pub fn split(self) -> (Incoming, Writer) {
        (self.incoming, self.writer)
    }

    /// Returns the connection itself: its reader returns every message, and sends no reply to
    /// a `ping`.
    #[must_use]
    pub fn into_connection(self) -> (Reader, Writer) {
        (self.incoming.reader, self.writer)
    }

    /// Ends the connection after all queued messages, and waits until the server has ended it as
    /// well. Use a time limit: the server may take its time.
    pub async fn close(mut self) {
        self.writer.close().await;
        while self.incoming.reader.read().await.is_ok() {}
    }
}

impl Incoming {
    /// Reads the next message from the server. It replies to a `ping` and does not return it.
    ///
    /// A command that is not in the vocabulary, or whose members do not fit, is returned as
    /// [`ServerMessage::Other`]: servers may be newer than their clients. Cancel-safe.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn read(&mut self) -> Result<ServerMessage, Error> {
        loop {
            match ServerMessage::read_leniently(self.read_untyped().await?) {
                // If the connection is lost, the reader reports it.
                ServerMessage::Ping => drop(self.reader.writer().write(&ClientMessage::Pong)),
                message => return Ok(message),
            }
        }
    }

    /// Reads the next message from the server, of any kind, and sends no replies. Cancel-safe.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn read_untyped(&mut self) -> Result<Message, Error> {
        self.reader.read().await
    }
}
