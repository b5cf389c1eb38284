//! The peers of the tool: a server, and clients.

use std::net::SocketAddr;

use bytes::BytesMut;
use faf_connection::upgrade::{self, Endpoint, Upgraded};
use faf_connection::{Disconnected, Error, Reader, Settings, Writer, open_tcp, tcp};
use faf_protocol::websocket::{Control, Role};
use faf_protocol::{Decoded, Decoder, Limits, Message, WireFormat};
use hyper::Uri;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::in_time;

/// Header in which the server looks for the client's address.
pub(crate) const FORWARDED_HEADER: &str = "X-Real-IP";

/// One end of a connection.
pub(crate) struct Peer {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    /// Address that the upgrade gave for the client.
    pub(crate) forwarded_for: Option<String>,
}

impl Peer {
    fn new((reader, writer): (Reader, Writer)) -> Self {
        Self { reader, writer, forwarded_for: None }
    }

    /// Reads the next message.
    pub(crate) async fn read(&mut self) -> Message {
        in_time(self.reader.read()).await.unwrap()
    }

    /// Sends a message.
    pub(crate) async fn send(&self, message: &Message) {
        in_time(self.writer.send(message)).await.unwrap();
    }

    /// Sends bytes as they are.
    pub(crate) async fn send_bytes(&self, bytes: &'static [u8]) {
        in_time(self.writer.send_raw(bytes.into(), 0)).await.unwrap();
    }

    /// Checks that the other side ends the connection cleanly and sends nothing more before.
    pub(crate) async fn assert_ended(&mut self) {
        let end = in_time(self.reader.read()).await;
        assert!(matches!(end, Err(Error::Disconnected(Disconnected::ByPeer))), "{end:?}");
    }

    /// Waits for the end of the connection, clean or not.
    pub(crate) async fn wait_for_end(&mut self) {
        while in_time(self.reader.read()).await.is_ok() {}
    }
}

/// A server of one format.
pub(crate) struct Server {
    listener: TcpListener,
    format: WireFormat,
}

impl Server {
    pub(crate) fn listen(format: WireFormat) -> Self {
        Self { listener: tcp::listen("127.0.0.1:0".parse().unwrap()).unwrap(), format }
    }

    /// Creates a server at an address that was reserved until now.
    pub(crate) fn listen_at(place: TcpSocket, format: WireFormat) -> Self {
        Self { listener: place.listen(16).unwrap(), format }
    }

    pub(crate) fn url(&self) -> String {
        url(self.format, self.listener.local_addr().unwrap())
    }

    /// Accepts the next connection, as a peer.
    pub(crate) async fn accept(&self) -> Peer {
        self.welcome(self.accept_stream().await).await
    }

    /// Accepts the next connection, before anything is read from it.
    pub(crate) async fn accept_stream(&self) -> TcpStream {
        in_time(self.listener.accept()).await.unwrap().0
    }

    /// Opens a peer on a connection.
    pub(crate) async fn welcome(&self, stream: TcpStream) -> Peer {
        let settings = Settings::new(self.format);
        if self.format != WireFormat::WebSocket {
            return Peer::new(open_tcp(stream, settings));
        }
        upgraded(stream).await
    }
}

async fn accept_upgrade<S>(stream: S) -> Upgraded<S>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let forwarded_header = Some(FORWARDED_HEADER.parse().unwrap());
    let endpoint = Endpoint { path: "/".to_owned(), origins: Vec::new(), forwarded_header };
    in_time(upgrade::accept(stream, &endpoint)).await.unwrap()
}

/// Opens a peer on a stream that begins with the upgrade to WebSocket.
pub(crate) async fn upgraded<S>(stream: S) -> Peer
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let upgraded = accept_upgrade(stream).await;
    let settings = Settings { received: upgraded.received, ..Settings::new(WireFormat::WebSocket) };
    let connection = faf_connection::open(upgraded.stream, settings);
    Peer { forwarded_for: upgraded.forwarded_for, ..Peer::new(connection) }
}

/// Checks that a WebSocket client sends a close frame and nothing else.
pub(crate) async fn assert_only_close_frame(stream: TcpStream) {
    let Upgraded { mut stream, received, .. } = accept_upgrade(stream).await;
    let mut bytes = received.to_vec();
    in_time(stream.read_to_end(&mut bytes)).await.unwrap();
    let mut decoder = Decoder::new(WireFormat::WebSocket, Limits::default());
    let close = Control::Close { code: Some(1000), reason: String::new() };
    let mut bytes = BytesMut::from(&bytes[..]);
    assert_eq!(decoder.decode(&mut bytes), Ok(Some(Decoded::Control(close))));
    assert!(bytes.is_empty());
}

/// Reserves an address where nobody listens, and nobody else can.
pub(crate) fn reserved_address() -> (TcpSocket, SocketAddr) {
    let place = TcpSocket::new_v4().unwrap();
    place.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = place.local_addr().unwrap();
    (place, address)
}

/// Returns the URL of an address, as the tool takes it.
pub(crate) fn url(format: WireFormat, address: SocketAddr) -> String {
    let scheme = match format {
        WireFormat::QDataStream => "qdatastream",
        WireFormat::SimpleJson => "tcp",
        WireFormat::WebSocket => "ws",
    };
    format!("{scheme}://{address}")
}

/// Connects a client to a URL, on a stream of its own.
pub(crate) async fn client_on(stream: TcpStream, url: &Uri) -> Peer {
    let client_of = |format| Settings { role: Role::Client, ..Settings::new(format) };
    match url.scheme_str() {
        Some("qdatastream") => Peer::new(open_tcp(stream, client_of(WireFormat::QDataStream))),
        Some("tcp") => Peer::new(open_tcp(stream, client_of(WireFormat::SimpleJson))),
        _ => {
            let upgraded = in_time(upgrade::connect(stream, url, &[])).await.unwrap();
            let settings = Settings { received: upgraded.received, ..client_of(WireFormat::WebSocket) };
            Peer::new(open_tcp(upgraded.stream, settings))
        }
    }
}

/// Connects a client to a URL.
pub(crate) async fn client(url: &Uri) -> Peer {
    client_on(connect(url).await, url).await
}

/// Opens a bare connection to the address of a URL.
pub(crate) async fn connect(url: &Uri) -> TcpStream {
    in_time(TcpStream::connect(url.authority().unwrap().as_str())).await.unwrap()
}
