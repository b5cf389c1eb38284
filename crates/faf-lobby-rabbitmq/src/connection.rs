//! One connection: how it is opened, and how its end is noticed.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, ConnectionProperties, ErrorKind, ExchangeKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::settings::Settings;

/// The first bytes of every connection: AMQP 0-9-1.
const PROTOCOL_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// An open connection with the declared exchange, as its users share it.
#[derive(Debug)]
pub(crate) struct Link {
    /// Number of the connection, counted from 1.
    pub(crate) number: u64,
    /// Channel for messages that must not be lost, with confirmations.
    pub(crate) delivery: Channel,
    /// Channel for reports, with confirmations.
    pub(crate) reports: Channel,
    /// A message could not be published, and is published again over the next connection.
    pub(crate) failed: Notify,
}

/// Everything that a connection consists of.
pub(crate) struct Connection {
    pub(crate) lapin: lapin::Connection,
    pub(crate) link: Arc<Link>,
    control: Channel,
}

impl Connection {
    /// Opens a connection, and declares the exchange.
    ///
    /// # Errors
    /// A text for operators, which does not contain the password.
    pub(crate) async fn open(settings: &Settings, number: u64) -> Result<Self, String> {
        let name = format!("faf-lobby on {}", settings.host_name);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        knock(&settings.host, settings.port).await?;
        let lapin = lapin::Connection::connect_uri(settings.uri(), properties)
            .await
            .map_err(|error| explain(&error))?;
        let control = channel(&lapin).await?;
        declare_exchange(&control, settings, false).await.map_err(|error| match reply_code(&error) {
            Some(406) => format!(
                "the exchange {} exists with other properties; it must be a durable topic exchange without \
                 auto-delete and arguments, so remove it or name another one: {}",
                settings.exchange,
                explain(&error)
            ),
            _ => explain(&error),
        })?;
        let (delivery, reports) = (channel(&lapin).await?, channel(&lapin).await?);
        for channel in [&delivery, &reports] {
            respond(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        }
        let link = Arc::new(Link { number, delivery, reports, failed: Notify::new() });
        Ok(Self { lapin, link, control })
    }

    /// Checks that the broker responds and that the exchange still exists.
    ///
    /// # Errors
    /// A text for operators.
    pub(crate) fn check(
        &self,
        settings: &Settings,
    ) -> impl Future<Output = Result<(), String>> + Send + use<> {
        let (control, settings) = (self.control.clone(), settings.clone());
        async move { declare_exchange(&control, &settings, true).await.map_err(|error| explain(&error)) }
    }

    /// Says goodbye to the broker, if it still responds.
    pub(crate) async fn close(&self, limit: Duration) {
        // The broker ends a connection that is not closed properly as well.
        let _ = timeout(limit, self.lapin.close(200, "OK".into())).await;
    }
}

/// Waits until the broker responds to the header of the protocol. This takes a connection of its
/// own, which is then closed.
///
/// The library keeps a thread and a socket for a connection that is given up before the handshake
/// is over. A broker that accepts connections and does not respond would collect them.
async fn knock(host: &str, port: u16) -> Result<(), String> {
    let knocked = async {
        let mut stream = TcpStream::connect((host, port)).await?;
        stream.write_all(PROTOCOL_HEADER).await?;
        stream.read_u8().await
    };
    knocked.await.map(drop).map_err(|error| error.to_string())
}

/// Opens a channel.
pub(crate) async fn channel(connection: &lapin::Connection) -> Result<Channel, String> {
    respond(connection.create_channel()).await
}

/// Declares the exchange as all services of FAF do, or only checks that it exists.
async fn declare_exchange(channel: &Channel, settings: &Settings, passive: bool) -> Result<(), lapin::Error> {
    let options = ExchangeDeclareOptions { passive, durable: true, ..ExchangeDeclareOptions::default() };
    let name = settings.exchange.as_str().into();
    channel.exchange_declare(name, ExchangeKind::Topic, options, FieldTable::default()).await
}

/// Waits for the response to a request, as long as the connection lives: the supervisor notices a
/// broker that does not respond, and one that blocks publishers may respond late.
///
/// # Errors
/// A text for operators.
pub(crate) async fn respond<T>(request: impl Future<Output = Result<T, lapin::Error>>) -> Result<T, String> {
    request.await.map_err(|error| explain(&error))
}

/// Returns the code with which the broker has refused a request.
pub(crate) fn reply_code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

/// Describes an error for operators. Errors of the library contain no credentials.
pub(crate) fn explain(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => format!("{} {}", error.get_id(), error.get_message()),
        ErrorKind::IOError(error) => error.to_string(),
        ErrorKind::MissingHeartbeatError => "it sends no heartbeats".to_owned(),
        _ => error.to_string(),
    }
}
