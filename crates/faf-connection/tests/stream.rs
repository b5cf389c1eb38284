//! A connection as a stream and a sink.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use faf_connection::{Error, Settings, open};
use faf_protocol::{ClientMessage, Message, WireFormat};
use futures::{SinkExt, StreamExt, stream};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn stream_ends_with_the_connection() {
    for format in WireFormat::ALL {
        let (here, there) = tokio::io::duplex(64);
        let role = faf_protocol::websocket::Role::Client;
        let (rest, writer) = open(here, Settings { role, ..Settings::new(format) });
        let (reader, _answers) = open(there, Settings::new(format));
        let sending = tokio::spawn(async move {
            let mut sink = writer.into_sink();
            let mut pings = stream::iter(vec![ClientMessage::Ping; 100]).map(Ok);
            sink.send_all(&mut pings).await.unwrap();
            SinkExt::<Message>::close(&mut sink).await.unwrap();
            rest.map(drop).collect::<Vec<_>>().await
        });
        let received: Vec<_> = reader.map(Result::unwrap).collect().await;
        assert_eq!(received, vec![Message::PING; 100], "{format}");
        sending.await.unwrap();
    }
}

#[tokio::test]
async fn end_inside_a_message_is_an_error() {
    let (mut peer, there) = tokio::io::duplex(64);
    let (mut reader, _writer) = open(there, Settings::new(WireFormat::SimpleJson));
    peer.write_all(b"{\"command\"").await.unwrap();
    drop(peer);
    assert!(matches!(reader.next().await, Some(Err(Error::Incomplete(_)))));
    assert!(reader.next().await.is_none());
}
