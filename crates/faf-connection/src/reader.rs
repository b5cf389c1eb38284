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

/// Bytes taken from the operating system at once, and then other tasks get their turn: a thousand peers who send as fast as they can
/// must not keep somebody's ping waiting for long. They are read into the stack, so that an idle reader holds no buffer.
const CHUNK: usize = 16 * 1024;

/// Bytes of answers to pings that may wait for a peer; beyond it nothing is read before it has taken them. What else waits for
/// the peer does not count: others may have made it so much.
const ANSWERS_LIMIT: usize = 4 * 1024;

/// How often a peer may send what is no part of a message before there is a [`PAUSE`]: pings and pongs, which come every few
/// seconds, and pieces of 16 KiB or less that hold next to nothing.
const IDLE_TALK: u8 = 100;

/// How long nothing is read then.
const PAUSE: Duration = Duration::from_millis(100);

/// Bytes that are taken from a peer after the connection was closed on this side: 16 MiB. Who is in the middle of a message gets to
/// read what it was told last; who goes on without end does not keep anybody busy.
const DROPPED_LIMIT: u32 = 16 * 1024 * 1024;

/// How many of these are searched for the close frame of a WebSocket peer, which is the end of what it has to say: 64 KiB.
const SEARCHED: u32 = 64 * 1024;

/// The receiving end of a connection. Dropping it aborts the connection.
pub struct Reader {
    read_half: ReadHalf,
    decoder: Decoder,
    /// What has been received of messages that are not complete.
    buffer: BytesMut,
    writer: Writer,
    input: Input,
    large_messages: Option<Box<Share>>,
    /// What was taken from there for the message that is being received or dealt with.
    allowance: Option<Box<Allowance>>,
    /// What is waited for before more is received.
    waiting: Option<Box<Waiting>>,
    /// A ping was answered, and it has not been made sure since that the peer reads the answers.
    has_answered: bool,
    /// How often something has come since the last pause that was no part of a message; [`IDLE_TALK`] at most.
    idle_talk: u8,
    /// A message has been given out, and what was taken for it may go back when the next one is asked for.
    has_read: bool,
    /// Bytes that have come since the connection was closed on this side.
    dropped: u32,
    /// See [`listen_to_the_end`](Reader::listen_to_the_end).
    listens_to_the_end: bool,
}

/// Something that rarely has to be waited for, kept here so that waiting for a message takes no memory besides the reader's.
enum Waiting {
    /// The peer reads what it was answered.
    Room(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// A peer that talks all the time and says nothing makes a pause.
    Pause(Pin<Box<Sleep>>),
    /// There is memory for a large message. Whoever waits for the reader hears of it from time to time.
    Allowance(Pin<Box<dyn Future<Output = Allowance> + Send>>, RunningSleep),
}

/// What is to be done with what the peer sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Decode,
    /// The connection is closing, and nothing that could still come matters.
    Discard,
    /// There is nothing more to come.
    Ended,
    /// What has come cannot be understood, and so nothing that comes behind it.
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
    /// WebSocket pings are answered here, and a close frame, too; a peer that does not read the answers is not read from.
    /// Once the connection has been closed on this side, whatever the peer still sends is dropped until it ends. If that is more than
    /// 16 MiB, the connection is aborted.
    ///
    /// To read more than [`FREE`] bytes of one message, it waits for memory, if connections share it; see [`LargeMessages`].
    ///
    /// # Errors
    /// [`Error::Disconnected`], [`Error::Incomplete`], [`Error::Malformed`], and [`Error::Late`]. There is nothing to be read
    /// after an error, except after [`DecodeError::TooLarge`]: when [the limit is raised](Self::set_message_limit), the same
    /// message is looked at again.
    pub async fn read(&mut self) -> Result<Message, Error> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    /// As [`read`](Self::read), for who keeps thousands of readers waiting: everything that has to be remembered is in the reader.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        let mut has_received = std::mem::take(&mut self.has_read);
        // What there is to be looked at, and how much of it came last, in bytes.
        let mut looked_at = None;
        // In bytes, this time.
        let mut taken = 0;
        loop {
            if has_received {
                self.give_back();
            }
            // Whoever sends a large message slowly would keep the memory from others, and what came in one piece with one may be
            // a long time in being dealt with.
            if self.poll_late(cx).is_ready() {
                return Poll::Ready(Err(Late.into()));
            }
            // Who makes a pause may have sent more of the same, which is not looked at before its end.
            if self.waiting.is_some() && !self.waits_for_memory() {
                ready!(self.poll_waiting(cx))?;
            }
            let talk_before = self.idle_talk;
            if self.idle_talk < IDLE_TALK
                && let Some(message) = self.next_message()?
            {
                self.has_read = true;
                return Poll::Ready(Ok(message));
            }
            if let Some((all, last)) = looked_at.take()
                && self.idle_talk == talk_before
                && self.received() + last / 2 < all
            {
                self.note_idle_talk();
            }
            if has_received {
                self.give_back();
            }
            ready!(self.poll_waiting(cx))?;
            if self.has_answered {
                self.has_answered = false;
                self.wait_for_room(ANSWERS_LIMIT);
                continue;
            }
            if self.idle_talk >= IDLE_TALK {
                self.idle_talk = 0;
                self.waiting = Some(Box::new(Waiting::Pause(Box::pin(sleep(PAUSE)))));
                continue;
            }
            let room = self.room();
            if room == 0 && self.is_closing() {
                // Nobody is interested in it any more.
                self.input = Input::Discard;
                continue;
            }
            if room == 0 {
                self.wait_for_allowance();
                continue;
            }
            if taken >= CHUNK {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let received = ready!(self.poll_receive(room, cx)).map_err(Disconnected::from)?;
            taken += received;
            if received == 0 {
                return Poll::Ready(self.last_message());
            }
            has_received = true;
            looked_at = Some((self.received(), received));
            if self.is_closing() {
                self.dropped = self.dropped.saturating_add(received as u32);
                if self.dropped > DROPPED_LIMIT {
                    self.writer.abort();
                }
            }
        }
    }

    /// Gives back what was taken for a message that has been read, once it has been dealt with and nothing of it is left.
    ///
    /// Reading on does so, too; this is for who waits for something else before that.
    pub fn give_back(&mut self) {
        if self.allowance.is_some() && self.is_little_kept() {
            self.allowance = None;
        }
    }

    /// Whether the large message that memory was taken for comes, or is dealt with, too slowly to keep it. Wakes the task when it
    /// does.
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

    /// How many bytes have come so far.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.decoder.taken() + self.buffer.len() as u64
    }

    /// Whether something has come of a message that is not complete.
    #[must_use]
    pub fn is_inside_message(&self) -> bool {
        self.received() > 0
    }

    /// How far all messages have come, in bytes: what has come counts, and what has become of it counts once more.
    fn far(&self) -> u64 {
        2 * self.arrived() - self.received() as u64
    }

    /// Whether nothing is read because there is no memory for a large message.
    #[must_use]
    pub fn waits_for_memory(&self) -> bool {
        matches!(self.waiting.as_deref(), Some(Waiting::Allowance(..)))
    }

    fn is_little_kept(&self) -> bool {
        self.received() <= FREE
    }

    /// What has been received of messages that are not complete, in bytes.
    fn received(&self) -> usize {
        self.decoder.unfinished(&self.buffer).received
    }

    fn note_idle_talk(&mut self) {
        self.idle_talk = (self.idle_talk + 1).min(IDLE_TALK);
    }

    /// Sets how large messages may be from now on, those included that are received already but not read.
    pub fn set_message_limit(&mut self, bytes: usize) {
        self.decoder.set_message_limit(bytes);
        // What was taken for an unfinished message may not be enough, so it is taken anew, in its turn.
        self.allowance = None;
        self.waiting = None;
    }

    /// Sets where memory for large messages is taken from from now on; also for one that is under way.
    pub fn set_large_messages(&mut self, large_messages: Arc<LargeMessages>) {
        let address = self.large_messages.as_ref().and_then(|share| share.address);
        self.large_messages = Some(Box::new(Share { of: large_messages, address }));
        self.allowance = None;
        self.waiting = None;
    }

    /// Goes on with messages after this side has said its last, until the peer has, too: for who passes on what both say.
    pub fn listen_to_the_end(&mut self) {
        self.listens_to_the_end = true;
    }

    /// Whether nothing that comes matters any more.
    fn is_closing(&self) -> bool {
        !self.listens_to_the_end && self.writer.phase() != Phase::Open
    }

    /// The other end of this connection.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// How many bytes of the stream have become messages so far. The offset of a decoding error counts from here.
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
                    self.give_back();
                    return Ok(None);
                }
                // What is left unread when the connection ends would take back what the peer is told last.
                Input::Broken if self.writer.phase() != Phase::Open => {
                    self.input = Input::Discard;
                    continue;
                }
                Input::Ended | Input::Broken => return Err(self.disconnected()),
            }
            let is_closing = self.is_closing();
            if is_closing && (!self.writer.format().has_upgrade() || self.dropped > SEARCHED) {
                // To understand it would be work for nothing.
                self.input = Input::Discard;
                continue;
            }
            let decoded = self.decoder.decode(&mut self.buffer);
            if self.buffer.is_empty() {
                // An idle connection must not hold on to the memory of its largest message.
                self.buffer = BytesMut::new();
            }
            if self.allowance.is_some() && self.is_little_kept() {
                // Nor must what has come behind a large message hold on to the memory of that.
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

    /// What the end of the stream means: a last message, a clean end, or an end inside a message.
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

    /// How much may be received now, in bytes.
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

    /// Waits until the peer has read most of what it was answered.
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
                    // What it had before goes back.
                    Poll::Ready(allowance) => self.allowance = Some(Box::new(allowance)),
                    Poll::Pending => {
                        while Pin::new(&mut *tick).poll(cx).is_ready() {
                            *tick = RunningSleep::new(WINDOW);
                        }
                        return Poll::Pending;
                    }
                },
                // It is not wanted any more.
                Phase::Closing | Phase::Closed => self.input = Input::Discard,
                Phase::Aborted => return Poll::Ready(Err(self.disconnected())),
            },
        }
        self.waiting = None;
        Poll::Ready(Ok(()))
    }

    /// Adds to the buffer what the peer has sent, so many bytes at most; answers how much, zero at the end of the stream.
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
