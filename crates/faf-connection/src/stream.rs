//! [`Stream`] and [`Sink`], for programs that combine them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use faf_protocol::{Encode, Message};
use futures_core::Stream;
use futures_sink::Sink;

use crate::error::{Disconnected, Error};
use crate::outbox::OUTBOX_LIMIT;
use crate::reader::Reader;
use crate::writer::Writer;

/// The messages of a connection, until the peer ends it between two of them.
///
/// ```
/// use faf_connection::{Settings, open};
/// use faf_protocol::{Message, WireFormat};
/// use futures::{SinkExt, StreamExt};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let (here, there) = tokio::io::duplex(1024);
/// let (_reader, writer) = open(here, Settings::new(WireFormat::SimpleJson));
/// let (mut messages, _writer) = open(there, Settings::new(WireFormat::SimpleJson));
/// let mut sink = writer.into_sink();
/// sink.send(Message::PING).await?;
/// assert_eq!(messages.next().await.transpose()?, Some(Message::PING));
/// # Ok::<(), faf_connection::Error>(())
/// # }).unwrap();
/// ```
impl Stream for Reader {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match ready!(self.get_mut().poll_read(cx)) {
            Err(Error::Disconnected(Disconnected::ByPeer | Disconnected::Here)) => Poll::Ready(None),
            read => Poll::Ready(Some(read)),
        }
    }
}

type Waiting = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A [`Writer`] as a sink of messages, typed or not: see [`Writer::into_sink`].
///
/// It accepts a message while at most half of [`OUTBOX_LIMIT`] waits for the peer. Flushing waits
/// until the operating system has taken everything; closing ends the connection.
pub struct MessageSink {
    writer: Writer,
    /// Operation in progress.
    waiting: Option<Waiting>,
}

impl Writer {
    /// Turns this handle into a sink.
    #[must_use]
    pub fn into_sink(self) -> MessageSink {
        MessageSink { writer: self, waiting: None }
    }
}

impl MessageSink {
    fn poll_waiting<F>(
        &mut self,
        cx: &mut Context<'_>,
        begin: impl FnOnce(Writer) -> F,
    ) -> Poll<Result<(), Error>>
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let writer = &self.writer;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(begin(writer.clone())));
        let done = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        Poll::Ready(done)
    }
}

impl<M: Encode> Sink<M> for MessageSink {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_waiting(cx, |writer| async move {
            writer.wait_for_room(OUTBOX_LIMIT / 2).await;
            Ok(())
        })
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<(), Error> {
        self.writer.write(&message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_waiting(cx, |writer| async move { writer.drain().await })
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_waiting(cx, |writer| async move {
            writer.close().await;
            Ok(())
        })
    }
}

impl std::fmt::Debug for MessageSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("MessageSink").field(&self.writer).finish()
    }
}
