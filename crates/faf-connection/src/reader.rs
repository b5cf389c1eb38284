use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use faf_protocol::websocket::{CloseCode, Control};
use faf_protocol::{DecodeError, Decoded, Decoder, Message, Unfinished};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::error::{Disconnected, Error};
use crate::halves::ReadHalf;
use crate::large_messages::{Allowance, FREE, LargeMessages, Late, WINDOW};
use crate::running_time::RunningSleep;
use crate::settings::{Settings, Share};
use crate::writer::{Phase, Writer};

/// Bytes taken from the operating system before other tasks get their turn: a thousand peers that
/// send as fast as they can must not delay another one's ping for long. They are read into the
/// stack, so that an idle reader holds no buffer.
const CHUNK: usize = 16 * 1024;

/// Bytes of answers to pings that may wait for a peer; beyond it nothing is read before the peer
/// has taken them. Other messages that wait for it do not count: it may not be the cause of those.
const ANSWERS_LIMIT: usize = 4 * 1024;

/// How often a peer may send input without a message before there is a [`PAUSE`]: pings and pongs,
/// which come every few seconds, and pieces of 16 KiB or less that hold next to nothing.
const IDLE_TALK: u8 = 100;

/// How long nothing is read after too much idle talk.
const PAUSE: Duration = Duration::from_millis(100);

/// Bytes that are taken from a peer after the connection was closed on this side: 16 MiB. A peer in
/// the middle of a message gets to read the last one it was sent; one that never ends is aborted.
const DROPPED_LIMIT: u32 = 16 * 1024 * 1024;

/// How many of these are searched for the close frame of a WebSocket peer, its last frame: 64 KiB.
const SEARCHED: u32 = 64 * 1024;

/// The receiving end of a connection. Dropping it aborts the connection.
pub struct Reader {
    read_half: ReadHalf,
    decoder: Decoder,
    /// Bytes received of messages that are not complete.
    buffer: BytesMut,
    writer: Writer,
    input: Input,
    large_messages: Option<Box<Share>>,
    /// The memory taken from there for the message that is being received or processed.
    allowance: Option<Box<Allowance>>,
    /// The condition for receiving more.
    waiting: Option<Box<Waiting>>,
    /// A ping was answered, and the peer has not been seen to read the answers since.
    has_answered: bool,
    /// How often input without a message has come since the last pause; [`IDLE_TALK`] at most.
    idle_talk: u8,
    /// A message was returned, and its memory may go back when the next one is asked for.
    has_read: bool,
    /// Bytes that have come since the connection was closed on this side.
    dropped: u32,
    /// See [`listen_to_the_end`](Reader::listen_to_the_end).
    listens_to_the_end: bool,
}

/// A rare condition. It is kept in the reader, so that waiting for a message takes no other memory.
enum Waiting {
    /// The peer has read most of the answers to its pings.
    Room(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// The pause after too much idle talk is over.
    Pause(Pin<Box<Sleep>>),
    /// There is memory for a large message. The task is woken from time to time meanwhile.
    Allowance(Pin<Box<dyn Future<Output = Allowance> + Send>>, RunningSleep),
}

/// How the peer's input is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Decode,
    /// The connection is closing, and nothing that could still come matters.
    Discard,
    /// There is nothing more to come.
    Ended,
    /// A message was malformed, so nothing after it can be decoded.
    Broken,
}

impl Reader {
    pub(crate) fn new(read_half: ReadHalf, writer: Writer, settings: Settings) -> Self {
        let decoder = Decoder::for_role(settings.format, settings.role, settings.limits);
        Self {
            read_half,
            decoder,
            buffer: settings.received,
            writer,
            input: Input::Decode,
            large_messages: settings.large_messages.map(Box::new),
            allowance: None,
            waiting: None,
            has_answered: false,
            idle_talk: 0,
            has_read: false,
            dropped: 0,
            listens_to_the_end: false,
        }
    }

    /// Waits for the next message. Can be cancelled at any time without losing anything.
    ///
    /// WebSocket pings are answered here, and a close frame, too; a peer that does not read the
    /// answers is not read from. Once the connection has been closed on this side, input is dropped
    /// until the peer ends it. If that is more than 16 MiB, the connection is aborted.
    ///
    /// To read more than [`FREE`] bytes of one message, it waits for memory, if connections share
    /// it; see [`LargeMessages`].
    ///
    /// # Errors
    /// [`Error::Disconnected`], [`Error::Incomplete`], [`Error::Malformed`], and [`Error::Late`]. Nothing
    /// can be read after an error, except after [`DecodeError::TooLarge`]: when [the limit is
    /// raised](Self::set_message_limit), the same message is decoded again.
    pub async fn read(&mut self) -> Result<Message, Error> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    /// As [`read`](Self::read), for programs with thousands of waiting readers: all state is in the
    /// reader.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        let mut has_received = std::mem::take(&mut self.has_read);
        // The bytes that are there to be decoded, and how many of them came last.
        let mut looked_at = None;
        // Bytes received in this call.
        let mut taken = 0;
        loop {
            // A message that was returned has been processed when the next one is asked for, so
            // its memory goes to others before anything is waited for.
            if has_received {
                self.release_memory();
            }
            // A slow sender of a large message would keep that memory from others; so would a
            // message that came in one piece with it and takes long to be processed.
            if self.poll_late(cx).is_ready() {
                return Poll::Ready(Err(Late.into()));
            }
            // During a pause the peer may have sent more of what made it necessary; that is not
            // looked at before the end of the pause. A message that waits for memory is.
            if self.waiting.is_some() && !self.waits_for_memory() {
                ready!(self.poll_waiting(cx))?;
            }
            if let Some(message) = self.take_message(looked_at.take())? {
                self.has_read = true;
                return Poll::Ready(Ok(message));
            }
            // Decoding may have used up the last of a large message.
            if has_received {
                self.release_memory();
            }
            ready!(self.poll_waiting(cx))?;
            // Nothing is received that would have to be kept: a peer that sends faster than it may
            // is slowed down by TCP.
            let Some(room) = self.room_or_wait() else { continue };
            // Other tasks get their turn, however fast this peer sends.
            if taken >= CHUNK {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let received = ready!(self.poll_receive(room, cx)).map_err(Disconnected::from)?;
            if received == 0 {
                return Poll::Ready(self.last_message());
            }
            taken += received;
            has_received = true;
            looked_at = Some((self.received(), received));
            self.note_dropped(received);
        }
    }

    /// The next message, if all of it is there and the peer need not make a pause. `last` says how
    /// much there is to be looked at, and how much of it came last, in bytes.
    fn take_message(&mut self, last: Option<(usize, usize)>) -> Result<Option<Message>, Error> {
        let talk_before = self.idle_talk;
        if self.idle_talk < IDLE_TALK
            && let Some(message) = self.next_message()?
        {
            return Ok(Some(message));
        }
        // A piece of which more than half is gone, and no message came of it, was next to nothing.
        if let Some((all, last)) = last
            && self.idle_talk == talk_before
            && self.received() + last / 2 < all
        {
            self.note_idle_talk();
        }
        Ok(None)
    }

    /// How much may be received now, in bytes; nothing if something else has to happen first, for
    /// which this begins to wait.
    fn room_or_wait(&mut self) -> Option<usize> {
        // Pongs that a peer does not read must not pile up.
        if self.has_answered {
            self.has_answered = false;
            self.wait_for_room(ANSWERS_LIMIT);
            return None;
        }
        if self.idle_talk >= IDLE_TALK {
            self.idle_talk = 0;
            self.waiting = Some(Box::new(Waiting::Pause(Box::pin(sleep(PAUSE)))));
            return None;
        }
        match self.room() {
            // Nobody reads the rest of a large message any more, so it gets no memory.
            0 if self.is_closing() => self.input = Input::Discard,
            0 => self.wait_for_allowance(),
            room => return Some(room),
        }
        None
    }

    /// Counts what has come after the connection was closed here, and ends it if that goes on.
    fn note_dropped(&mut self, received: usize) {
        if self.is_closing() {
            self.dropped = self.dropped.saturating_add(received as u32);
            if self.dropped > DROPPED_LIMIT {
                self.writer.abort();
            }
        }
    }

    /// Gives back the memory of a message that has been read, once nothing of it is left.
    ///
    /// Reading on does so, too; this is for callers that wait for something else before.
    pub fn release_memory(&mut self) {
        if self.allowance.is_some() && self.is_little_kept() {
            self.allowance = None;
        }
    }

    /// Whether the large message that memory was taken for comes, or is processed, too slowly to
    /// keep it. Wakes the task when it does.
    pub fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Late> {
        if self.allowance.is_none() {
            return Poll::Pending;
        }
        let (far, waits) = (self.far(), self.waits_for_memory());
        match (&mut self.allowance, &self.large_messages) {
            (Some(allowance), Some(share)) => allowance.poll_late(&share.of, far, waits, cx),
            _ => Poll::Pending,
        }
    }

    /// How many bytes have been received so far.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.decoder.taken() + self.buffer.len() as u64
    }

    /// Whether a part of a message has been received.
    #[must_use]
    pub fn is_inside_message(&self) -> bool {
        self.received() > 0
    }

    /// The progress of all messages, in bytes: received bytes count, and decoded ones count twice.
    fn far(&self) -> u64 {
        2 * self.arrived() - self.received() as u64
    }

    /// Whether reading waits for memory for a large message.
    #[must_use]
    pub fn waits_for_memory(&self) -> bool {
        matches!(self.waiting.as_deref(), Some(Waiting::Allowance(..)))
    }

    fn is_little_kept(&self) -> bool {
        self.received() <= FREE
    }

    /// Bytes received of messages that are not complete.
    fn received(&self) -> usize {
        self.decoder.unfinished(&self.buffer).received
    }

    fn note_idle_talk(&mut self) {
        self.idle_talk = (self.idle_talk + 1).min(IDLE_TALK);
    }

    /// Sets the largest message from now on, for messages that are received already but not read,
    /// too.
    pub fn set_message_limit(&mut self, bytes: usize) {
        self.decoder.set_message_limit(bytes);
        // The memory of an unfinished message may not be enough, so it waits for it in its turn
        // again.
        self.allowance = None;
        self.waiting = None;
    }

    /// Sets the source of memory for large messages, also for one that is under way.
    pub fn set_large_messages(&mut self, large_messages: Arc<LargeMessages>) {
        let address = self.large_messages.as_ref().and_then(|share| share.address);
        self.large_messages = Some(Box::new(Share { of: large_messages, address }));
        self.allowance = None;
        self.waiting = None;
    }

    /// Returns messages until the peer ends the connection, even after this side has closed it: for
    /// programs that pass messages on between two connections.
    pub fn listen_to_the_end(&mut self) {
        self.listens_to_the_end = true;
    }

    /// Whether further input is dropped.
    fn is_closing(&self) -> bool {
        !self.listens_to_the_end && self.writer.phase() != Phase::Open
    }

    /// The other end of this connection.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// How many bytes of the stream have become messages so far. The offset of a decoding error
    /// counts from here.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.decoder.consumed()
    }

    /// The next message, if all of it has been received.
    fn next_message(&mut self) -> Result<Option<Message>, Error> {
        loop {
            match self.input {
                Input::Decode => {}
                Input::Discard => {
                    // Together with its memory: it may be that of a large message.
                    self.buffer = BytesMut::new();
                    self.release_memory();
                    return Ok(None);
                }
                // Unread input at the end of the connection would reset it before the peer has read
                // the last messages.
                Input::Broken if self.writer.phase() != Phase::Open => {
                    self.input = Input::Discard;
                    continue;
                }
                Input::Ended | Input::Broken => return Err(self.disconnected()),
            }
            let is_closing = self.is_closing();
            if is_closing && (!self.writer.format().has_upgrade() || self.dropped > SEARCHED) {
                // Nobody wants these messages.
                self.input = Input::Discard;
                continue;
            }
            let decoded = self.decoder.decode(&mut self.buffer);
            if self.buffer.is_empty() {
                // An idle connection must not hold on to the memory of its largest message.
                self.buffer = BytesMut::new();
            }
            if self.allowance.is_some() && self.is_little_kept() {
                // Nor must the bytes after a large message hold on to the memory of that.
                self.buffer = BytesMut::from(&self.buffer[..]);
                self.decoder.shrink();
            }
            match decoded {
                Ok(Some(Decoded::Message(message))) if !is_closing => {
                    if self.decoder.is_binary() {
                        self.writer.answer_in_binary();
                    }
                    return Ok(Some(message));
                }
                Ok(Some(Decoded::Message(_))) => {}
                Ok(Some(Decoded::Control(control))) => {
                    self.answer(control)?;
                    self.note_idle_talk();
                    if self.idle_talk == IDLE_TALK && !is_closing {
                        return Ok(None);
                    }
                }
                Ok(None) => return Ok(None),
                Err(_) if is_closing => self.input = Input::Discard,
                Err(error @ DecodeError::TooLarge { .. }) => return Err(error.into()),
                Err(error) => {
                    self.input = Input::Broken;
                    self.writer.set_ending(CloseCode::of(&error), &error.to_string());
                    return Err(error.into());
                }
            }
        }
    }

    /// The meaning of the end of the stream: a last message, a clean end, or an end inside a
    /// message.
    fn last_message(&mut self) -> Result<Message, Error> {
        let error = self.disconnected();
        let is_closing = self.is_closing();
        if std::mem::replace(&mut self.input, Input::Ended) != Input::Decode || is_closing {
            return Err(error);
        }
        match self.decoder.finish(&mut self.buffer)? {
            Some(Decoded::Message(last)) => Ok(last),
            _ => Err(error),
        }
    }

    fn answer(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Ping(payload) => {
                self.writer.write_control(&Control::Pong(payload));
                self.has_answered = true;
            }
            Control::Pong(_) => {}
            Control::Close { code, .. } => {
                self.input = Input::Ended;
                let error = self.disconnected();
                self.writer.answer_close(code);
                return Err(error);
            }
        }
        Ok(())
    }

    fn disconnected(&self) -> Error {
        match self.writer.phase() {
            Phase::Open => Disconnected::ByPeer.into(),
            _ => self.writer.loss().unwrap_or(Disconnected::Here).into(),
        }
    }

    /// Bytes that may be received now.
    fn room(&self) -> usize {
        if self.input == Input::Discard {
            return CHUNK;
        }
        if self.large_messages.is_none() {
            return CHUNK;
        }
        let Unfinished { received, at_most } = self.decoder.unfinished(&self.buffer);
        let limit = match &self.allowance {
            None => Some(FREE),
            Some(allowance) => allowance.limit(at_most),
        };
        limit.map_or(CHUNK, |limit| limit.saturating_sub(received).min(CHUNK))
    }

    /// Waits until the peer has read most of the answers to its pings.
    fn wait_for_room(&mut self, bytes: usize) {
        let writer = self.writer.clone();
        let room = async move { writer.wait_for_control_room(bytes).await };
        self.waiting = Some(Box::new(Waiting::Room(Box::pin(room))));
    }

    /// Waits until the unfinished message may become larger.
    fn wait_for_allowance(&mut self) {
        let Some(share) = &self.large_messages else { return };
        let Unfinished { received, at_most } = self.decoder.unfinished(&self.buffer);
        let far = self.far();
        let taking = share.of.take(share.address, received, at_most, far);
        self.waiting = Some(Box::new(Waiting::Allowance(Box::pin(taking), RunningSleep::new(WINDOW))));
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.waiting.as_deref_mut() {
            None => return Poll::Ready(Ok(())),
            Some(Waiting::Room(room)) => ready!(room.as_mut().poll(cx)),
            Some(Waiting::Pause(pause)) => ready!(pause.as_mut().poll(cx)),
            Some(Waiting::Allowance(taking, tick)) => match self.writer.register_reader(cx.waker()) {
                Phase::Open => match taking.as_mut().poll(cx) {
                    // The smaller part that it had before goes back.
                    Poll::Ready(allowance) => self.allowance = Some(Box::new(allowance)),
                    Poll::Pending => {
                        while Pin::new(&mut *tick).poll(cx).is_ready() {
                            *tick = RunningSleep::new(WINDOW);
                        }
                        return Poll::Pending;
                    }
                },
                // Nobody wants the message any more.
                Phase::Closing | Phase::Closed => self.input = Input::Discard,
                Phase::Aborted => return Poll::Ready(Err(self.disconnected())),
            },
        }
        self.waiting = None;
        Poll::Ready(Ok(()))
    }

    /// Receives at most `room` bytes into the buffer; returns how many, zero at the end of the
    /// stream.
    fn poll_receive(&mut self, room: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.writer.register_reader(cx.waker()) == Phase::Aborted {
            return Poll::Ready(Ok(0));
        }
        let mut memory = [const { MaybeUninit::uninit() }; CHUNK];
        let mut chunk = ReadBuf::uninit(&mut memory[..room]);
        ready!(Pin::new(&mut self.read_half).poll_read(cx, &mut chunk))?;
        self.buffer.extend_from_slice(chunk.filled());
        Poll::Ready(Ok(chunk.filled().len()))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (input, received) = (self.input, self.received());
        f.debug_struct("Reader").field("input", &input).field("received", &received).finish_non_exhaustive()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.writer.abort();
    }
}
