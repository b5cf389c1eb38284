use faf_connection::{Disconnected, Error, Reader, Writer};
use faf_protocol::server_message::Welcome;
use faf_protocol::{ClientMessage, Encode, Message, ServerMessage};

use crate::connector::{ConnectError, Connector};
use crate::credentials::{Credentials, Identity};
use crate::url::Url;

/// A connection to a lobby server, as its client sees it. The connection ends when it is dropped.
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

/// The server did not let the client in.
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

    /// A client on a connection that was opened in another way, as [`Role::Client`].
    ///
    /// [`Role::Client`]: faf_protocol::websocket::Role::Client
    #[must_use]
    pub fn new(reader: Reader, writer: Writer) -> Self {
        Self { incoming: Incoming { reader }, writer }
    }

    /// Logs in, and returns the server's welcome. The lists of players and games follow it; see
    /// [`read`](Self::read). Give it a time limit: a busy server may let logins wait.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login(&mut self, credentials: &Credentials) -> Result<Welcome, LoginError> {
        self.login_as(credentials, &Identity::default()).await
    }

    /// As [`login`](Self::login), with another name for the program.
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
        // A ban or a full server is explained by a notice; the refusal itself may say less.
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

    /// The next message from the server; see [`Incoming::read`].
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

    /// Two halves, which may be used in different tasks.
    #[must_use]
    pub fn split(self) -> (Incoming, Writer) {
        (self.incoming, self.writer)
    }

    /// The connection itself: its reader returns every message, and no `ping` is answered.
    #[must_use]
    pub fn into_connection(self) -> (Reader, Writer) {
        (self.incoming.reader, self.writer)
    }

    /// Ends the connection after everything that waits, and waits until the server has ended it,
    /// too. Give it a time limit: the server may take its time.
    pub async fn close(mut self) {
        self.writer.close().await;
        while self.incoming.reader.read().await.is_ok() {}
    }
}

impl Incoming {
    /// The next message from the server. A `ping` is answered and not returned.
    ///
    /// A command that is not in the vocabulary, or whose members do not fit, comes as
    /// [`ServerMessage::Other`]: servers may be newer than their clients. Cancel-safe.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn read(&mut self) -> Result<ServerMessage, Error> {
        loop {
            match ServerMessage::read_leniently(self.read_untyped().await?) {
                // If the connection is lost, reading says so.
                ServerMessage::Ping => drop(self.reader.writer().write(&ClientMessage::Pong)),
                message => return Ok(message),
            }
        }
    }

    /// The next message from the server, whatever it is; nothing is answered. Cancel-safe.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn read_untyped(&mut self) -> Result<Message, Error> {
        self.reader.read().await
    }
}
