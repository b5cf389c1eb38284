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
use crate::large_messages::{Allowance, LargeMessages, Late, RATE_WINDOW, UNSHARED_MESSAGE_BYTES};
use crate::running_time::RunningSleep;
use crate::settings::{Settings, Share};
use crate::writer::{Phase, Writer};

/// Bytes received before other tasks run: a thousand peers that send as fast as they can must not
/// delay another one's ping for long. They are received on the stack, so that an idle reader holds
/// no buffer.
const CHUNK_BYTES: usize = 16 * 1024;

/// Most bytes of pongs that may wait for a peer. Beyond that, the reader pauses until the peer has
/// taken them. Other waiting messages do not count, because the peer may not have caused them.
const PONGS_LIMIT_BYTES: usize = 4 * 1024;

/// Most empty inputs before a [`PAUSE`]: pings and pongs, which usually come every few seconds, and
/// received chunks whose content is almost only framing.
const EMPTY_INPUTS_LIMIT: u8 = 100;

/// Pause of the reader after too many empty inputs.
const PAUSE: Duration = Duration::from_millis(100);

/// Most bytes received and dropped after this side has closed the connection: 16 MiB. So a peer in
/// the middle of a message can still read the last one sent to it. Beyond the limit, the connection
/// is aborted.
const DROPPED_LIMIT_BYTES: u32 = 16 * 1024 * 1024;

/// Most dropped bytes that are searched for the close frame of a WebSocket peer: 64 KiB.
const SEARCHED_BYTES: u32 = 64 * 1024;

/// The receiving end of a connection. Dropping it aborts the connection.
pub struct Reader {
    read_half: ReadHalf,
    decoder: Decoder,
    /// Received bytes of incomplete messages.
    buffer: BytesMut,
    writer: Writer,
    input: Input,
    large_messages: Option<Box<Share>>,
    /// Shared memory for the large message that is being received or processed.
    allowance: Option<Box<Allowance>>,
    /// Condition for receiving more.
    waiting: Option<Box<Waiting>>,
    /// Whether a ping was answered since the reader last waited for the peer to take the pongs.
    has_answered: bool,
    /// Number of empty inputs since the last pause; [`EMPTY_INPUTS_LIMIT`] at most.
    empty_inputs: u8,
    /// Whether a message was returned whose memory can be released when the next one is read.
    has_read: bool,
    /// Bytes received since this side closed the connection.
    dropped: u32,
    /// See [`listen_to_the_end`](Reader::listen_to_the_end).
    listens_to_the_end: bool,
}

/// A rare condition. It is kept in the reader, so that waiting for a message takes no other memory.
enum Waiting {
    /// The peer has taken most of the pongs.
    Room(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// The pause after too many empty inputs is over.
    Pause(Pin<Box<Sleep>>),
    /// There is memory for a large message. Meanwhile the task is woken in every window.
    Allowance(Pin<Box<dyn Future<Output = Allowance> + Send>>, RunningSleep),
}

/// How the peer's input is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Decode,
    /// The connection is closing, and further input is dropped.
    Discard,
    /// The peer has ended its side.
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
            empty_inputs: 0,
            has_read: false,
            dropped: 0,
            listens_to_the_end: false,
        }
    }

    /// Waits for the next message. Cancel-safe.
    ///
    /// This also answers WebSocket pings and close frames; a peer that does not read the answers is
    /// not read. After this side has closed the connection, input is dropped until the peer ends
    /// it. Beyond 16 MiB, the connection is aborted.
    ///
    /// To read more than [`UNSHARED_MESSAGE_BYTES`] of one message, the reader waits for memory, if
    /// connections share it; see [`LargeMessages`].
    ///
    /// # Errors
    /// [`Error::Disconnected`], [`Error::Incomplete`], [`Error::Malformed`], and [`Error::Late`].
    /// Nothing can be read after an error, except after [`DecodeError::TooLarge`]: when [the limit
    /// is raised](Self::set_message_limit), the same message is decoded again.
    pub async fn read(&mut self) -> Result<Message, Error> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    /// Polls [`read`](Self::read), for programs with thousands of waiting readers: all state is in
    /// the reader.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        let mut has_received = std::mem::take(&mut self.has_read);
        // Number of bytes to decode, and of those received last.
        let mut undecoded = None;
        // Bytes received in this call.
        let mut taken = 0;
        loop {
            // The caller has processed a message when it reads the next one, so its memory is
            // released before the reader waits for anything.
            if has_received {
                self.release_memory();
            }
            // A slow sender of a large message would keep that memory from others. So would slow
            // processing of a message that was received together with the beginning of a large one.
            if self.poll_late(cx).is_ready() {
                return Poll::Ready(Err(Late.into()));
            }
            // Nothing is decoded during a pause, because there may be more empty inputs. A message
            // that waits for memory is decoded as far as possible.
            if self.waiting.is_some() && !self.waits_for_memory() {
                ready!(self.poll_waiting(cx))?;
            }
            if let Some(message) = self.take_message(undecoded.take())? {
                self.has_read = true;
                return Poll::Ready(Ok(message));
            }
            // Decoding may have used up the last of a large message.
            if has_received {
                self.release_memory();
            }
            ready!(self.poll_waiting(cx))?;
            // The reader receives only bytes that it may keep, so TCP slows down a peer that sends
            // too fast.
            let Some(room) = self.room_or_wait() else { continue };
            // Lets other tasks run, however fast this peer sends.
            if taken >= CHUNK_BYTES {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let received = ready!(self.poll_receive(room, cx)).map_err(Disconnected::from)?;
            if received == 0 {
                return Poll::Ready(self.last_message());
            }
            taken += received;
            has_received = true;
            undecoded = Some((self.received(), received));
            self.note_dropped(received);
        }
    }

    /// Returns the next message if it is complete and no pause is due. `undecoded` has the number
    /// of bytes to decode and of those received last.
    fn take_message(&mut self, undecoded: Option<(usize, usize)>) -> Result<Option<Message>, Error> {
        let inputs_before = self.empty_inputs;
        if self.empty_inputs < EMPTY_INPUTS_LIMIT
            && let Some(message) = self.next_message()?
        {
            return Ok(Some(message));
        }
        // Decoding used up more than half of the last chunk without yielding a message or a control
        // frame, so the chunk was almost only framing.
        if let Some((all, last)) = undecoded
            && self.empty_inputs == inputs_before
            && self.received() + last / 2 < all
        {
            self.note_empty_input();
        }
        Ok(None)
    }

    /// Returns the number of bytes that may be received now. If the reader must wait for something
    /// else first, begins to wait and returns `None`.
    fn room_or_wait(&mut self) -> Option<usize> {
        // Pongs that a peer does not read must not pile up.
        if self.has_answered {
            self.has_answered = false;
            self.wait_for_room(PONGS_LIMIT_BYTES);
            return None;
        }
        if self.empty_inputs >= EMPTY_INPUTS_LIMIT {
            self.empty_inputs = 0;
            self.waiting = Some(Box::new(Waiting::Pause(Box::pin(sleep(PAUSE)))));
            return None;
        }
        match self.room() {
            // The rest of a large message is dropped, so it gets no memory.
            0 if self.is_closing() => self.input = Input::Discard,
            0 => self.wait_for_allowance(),
            room => return Some(room),
        }
        None
    }

    /// Counts bytes received after this side has closed the connection, and aborts it
    /// beyond [`DROPPED_LIMIT_BYTES`].
    fn note_dropped(&mut self, received: usize) {
        if self.is_closing() {
            self.dropped = self.dropped.saturating_add(received as u32);
            if self.dropped > DROPPED_LIMIT_BYTES {
                self.writer.abort();
            }
        }
    }

    /// Releases the memory of a message that was read.
    ///
    /// Reading the next message does so, too. This is for callers that wait for something
    /// else first.
    pub fn release_memory(&mut self) {
        if self.allowance.is_some() && self.is_little_kept() {
            self.allowance = None;
        }
    }

    /// Resolves when a large message arrives, or is processed, too slowly to keep its memory.
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

    /// Returns the number of bytes received so far.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.decoder.taken() + self.buffer.len() as u64
    }

    /// Returns whether a part of a message has been received.
    #[must_use]
    pub fn is_inside_message(&self) -> bool {
        self.received() > 0
    }

    /// Returns the progress of all messages, in bytes. Received bytes count once, and decoded
    /// ones twice.
    fn far(&self) -> u64 {
        2 * self.arrived() - self.received() as u64
    }

    /// Returns whether the reader waits for memory for a large message.
    #[must_use]
    pub fn waits_for_memory(&self) -> bool {
        matches!(self.waiting.as_deref(), Some(Waiting::Allowance(..)))
    }

    fn is_little_kept(&self) -> bool {
        self.received() <= UNSHARED_MESSAGE_BYTES
    }

    /// Returns the number of received bytes of incomplete messages.
    fn received(&self) -> usize {
        self.decoder.unfinished(&self.buffer).received
    }

    fn note_empty_input(&mut self) {
        self.empty_inputs = (self.empty_inputs + 1).min(EMPTY_INPUTS_LIMIT);
    }

    /// Sets the largest message, in bytes. It also applies to messages that are received already
    /// but not read.
    pub fn set_message_limit(&mut self, bytes: usize) {
        self.decoder.set_message_limit(bytes);
        // The memory of an unfinished message may be too little now, so it requests memory again.
        self.allowance = None;
        self.waiting = None;
    }

    /// Sets the source of memory for large messages, including one that is being received.
    pub fn set_large_messages(&mut self, large_messages: Arc<LargeMessages>) {
        let address = self.large_messages.as_ref().and_then(|share| share.address);
        self.large_messages = Some(Box::new(Share { of: large_messages, address }));
        self.allowance = None;
        self.waiting = None;
    }

    /// From now on, reads messages until the peer ends the connection, even after this side has
    /// closed it. This is for programs that pass messages on between two connections.
    pub fn listen_to_the_end(&mut self) {
        self.listens_to_the_end = true;
    }

    /// Returns whether further input is dropped.
    fn is_closing(&self) -> bool {
        !self.listens_to_the_end && self.writer.phase() != Phase::Open
    }

    /// Returns the sending end of this connection.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Returns the number of bytes decoded to messages so far. The offset of a decoding error
    /// counts from there.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.decoder.consumed()
    }

    /// Decodes the next message, if all of it has been received, and answers control frames
    /// before it.
    fn next_message(&mut self) -> Result<Option<Message>, Error> {
        loop {
            match self.input {
                Input::Decode => {}
                Input::Discard => {
                    // Releases the memory, too, which may be that of a large message.
                    self.buffer = BytesMut::new();
                    self.release_memory();
                    return Ok(None);
                }
                // If input stayed unread, the operating system would reset the connection before
                // the peer has read the last messages.
                Input::Broken if self.writer.phase() != Phase::Open => {
                    self.input = Input::Discard;
                    continue;
                }
                Input::Ended | Input::Broken => return Err(self.disconnected()),
            }
            let is_closing = self.is_closing();
            if is_closing && (!self.writer.format().has_upgrade() || self.dropped > SEARCHED_BYTES) {
                // Only WebSocket has a close frame to search for; all messages are dropped.
                self.input = Input::Discard;
                continue;
            }
            let decoded = self.decoder.decode(&mut self.buffer);
            if self.buffer.is_empty() {
                // An idle connection must not hold on to the memory of its largest message.
                self.buffer = BytesMut::new();
            }
            if self.allowance.is_some() && self.is_little_kept() {
                // Nor must the first bytes after a large message hold on to its memory.
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
                    self.note_empty_input();
                    if self.empty_inputs == EMPTY_INPUTS_LIMIT && !is_closing {
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

    /// Returns the result of the end of the stream: a last message, a clean end, or an end
    /// inside a message.
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

    /// Returns the number of bytes for which there is memory now.
    fn room(&self) -> usize {
        if self.input == Input::Discard {
            return CHUNK_BYTES;
        }
        if self.large_messages.is_none() {
            return CHUNK_BYTES;
        }
        let Unfinished { received, at_most } = self.decoder.unfinished(&self.buffer);
        let limit = match &self.allowance {
            None => Some(UNSHARED_MESSAGE_BYTES),
            Some(allowance) => allowance.limit(at_most),
        };
        limit.map_or(CHUNK_BYTES, |limit| limit.saturating_sub(received).min(CHUNK_BYTES))
    }

    /// Begins to wait until the peer has taken most of the pongs.
    fn wait_for_room(&mut self, bytes: usize) {
        let writer = self.writer.clone();
        let room = async move { writer.wait_for_control_room(bytes).await };
        self.waiting = Some(Box::new(Waiting::Room(Box::pin(room))));
    }

    /// Begins to wait for memory for the rest of the unfinished message.
    fn wait_for_allowance(&mut self) {
        let Some(share) = &self.large_messages else { return };
        let Unfinished { received, at_most } = self.decoder.unfinished(&self.buffer);
        let far = self.far();
        let taking = share.of.take(share.address, received, at_most, far);
        self.waiting = Some(Box::new(Waiting::Allowance(Box::pin(taking), RunningSleep::new(RATE_WINDOW))));
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.waiting.as_deref_mut() {
            None => return Poll::Ready(Ok(())),
            Some(Waiting::Room(room)) => ready!(room.as_mut().poll(cx)),
            Some(Waiting::Pause(pause)) => ready!(pause.as_mut().poll(cx)),
            Some(Waiting::Allowance(taking, tick)) => match self.writer.register_reader(cx.waker()) {
                Phase::Open => match taking.as_mut().poll(cx) {
                    // This also releases the smaller block.
                    Poll::Ready(allowance) => self.allowance = Some(Box::new(allowance)),
                    Poll::Pending => {
                        while Pin::new(&mut *tick).poll(cx).is_ready() {
                            *tick = RunningSleep::new(RATE_WINDOW);
                        }
                        return Poll::Pending;
                    }
                },
                // Messages are dropped while the connection is closing.
                Phase::Closing | Phase::Closed => self.input = Input::Discard,
                Phase::Aborted => return Poll::Ready(Err(self.disconnected())),
            },
        }
        self.waiting = None;
        Poll::Ready(Ok(()))
    }

    /// Receives at most `room` bytes into the buffer. Returns their number, or 0 at the end of
    /// the stream.
    fn poll_receive(&mut self, room: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.writer.register_reader(cx.waker()) == Phase::Aborted {
            return Poll::Ready(Ok(0));
        }
        let mut memory = [const { MaybeUninit::uninit() }; CHUNK_BYTES];
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
