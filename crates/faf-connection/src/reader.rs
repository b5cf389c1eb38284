use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use faf_protocol::websocket::{CloseCode, Control};
use faf_protocol::{DecodeError, Decoded, Decoder, Message, WireFormat};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep, timeout_at};

use crate::error::{Disconnected, Error};
use crate::halves::ReadHalf;
use crate::large_messages::{Allowance, FREE, LargeMessages, Late};
use crate::settings::Settings;
use crate::writer::{Phase, Writer};

/// Bytes taken from the operating system at once, and then other tasks get their turn: a thousand peers who send as fast as they can
/// must not keep somebody's ping waiting for long. They are read into the stack, so that an idle reader holds no buffer.
const CHUNK: usize = 16 * 1024;

/// Bytes that may wait for a peer while its pings are answered; beyond it nothing is read before it has taken some.
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
    large_messages: Option<Arc<LargeMessages>>,
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
}

/// Something that rarely has to be waited for, kept here so that waiting for a message takes no memory besides the reader's.
enum Waiting {
    /// The peer reads what it was answered.
    Room(Pin<Box<dyn Future<Output = Result<(), Late>> + Send>>),
    /// A peer that talks all the time and says nothing makes a pause.
    Pause(Pin<Box<Sleep>>),
    /// There is memory for a large message.
    Allowance(Pin<Box<dyn Future<Output = Allowance> + Send>>),
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
            large_messages: settings.large_messages,
            allowance: None,
            waiting: None,
            has_answered: false,
            idle_talk: 0,
            has_read: false,
            dropped: 0,
        }
    }

    /// Waits for the next message. Can be cancelled at any time without losing anything.
    ///
    /// WebSocket pings are answered here, and a close frame, too; a peer that does not read the answers is not read from.
    /// Once the connection has been closed on this side, whatever the peer still sends is dropped until it ends. If that is more than
    /// 16 MiB, the connection is aborted.
    ///
    /// To read more than [`FREE`] bytes of one message, it waits for an allowance, if connections share one.
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
            // What came in one piece with a large message may be a long time in being dealt with.
            if self.poll_late(cx).is_ready() {
                return Poll::Ready(Err(Late.into()));
            }
            // Who makes a pause may have sent more of the same, which is not looked at before its end.
            if !matches!(self.waiting.as_deref(), None | Some(Waiting::Allowance(_))) {
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
            if room == 0 && self.writer.phase() != Phase::Open {
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
            let received = ready!(self.poll_receive_in_time(room, cx))?.map_err(Disconnected::from)?;
            taken += received;
            if received == 0 {
                return Poll::Ready(self.last_message());
            }
            has_received = true;
            looked_at = Some((self.received(), received));
            if self.writer.phase() != Phase::Open {
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

    /// Whether the large message that memory was taken for is late. Wakes the task when it is.
    pub fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Late> {
        match &mut self.allowance {
            Some(allowance) => allowance.poll_late(cx),
            None => Poll::Pending,
        }
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
        self.large_messages = Some(large_messages);
        self.allowance = None;
        self.waiting = None;
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
                    return Ok(None);
                }
                // What is left unread when the connection ends would take back what the peer is told last.
                Input::Broken if self.writer.phase() != Phase::Open => {
                    self.input = Input::Discard;
                    continue;
                }
                Input::Ended | Input::Broken => return Err(self.disconnected()),
            }
            let is_closing = self.writer.phase() != Phase::Open;
            if is_closing && (self.writer.format() != WireFormat::WebSocket || self.dropped > SEARCHED) {
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
        let is_closing = self.writer.phase() != Phase::Open;
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
        match (&self.large_messages, &self.allowance) {
            (Some(_), None) => FREE.saturating_sub(self.received()).min(CHUNK),
            _ => CHUNK,
        }
    }

    /// Waits until the peer has read most of what it was answered, but with an allowance only as long as that holds.
    fn wait_for_room(&mut self, bytes: usize) {
        let (writer, deadline) = (self.writer.clone(), self.allowance.as_ref().map(|part| part.deadline));
        self.waiting = Some(Box::new(Waiting::Room(Box::pin(async move {
            match deadline {
                Some(deadline) => timeout_at(deadline, writer.wait_for_room(bytes)).await.map_err(|_| Late),
                None => {
                    writer.wait_for_room(bytes).await;
                    Ok(())
                }
            }
        }))));
    }

    /// Waits until the unfinished message may become as large as it may become.
    fn wait_for_allowance(&mut self) {
        let Some(large_messages) = self.large_messages.clone() else { return };
        let at_most = self.decoder.unfinished(&self.buffer).at_most;
        let taking = async move { large_messages.take(at_most).await };
        self.waiting = Some(Box::new(Waiting::Allowance(Box::pin(taking))));
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.waiting.as_deref_mut() {
            None => return Poll::Ready(Ok(())),
            Some(Waiting::Room(room)) => {
                let in_time = ready!(room.as_mut().poll(cx));
                self.waiting = None;
                return Poll::Ready(in_time.map_err(Error::from));
            }
            Some(Waiting::Pause(pause)) => ready!(pause.as_mut().poll(cx)),
            Some(Waiting::Allowance(taking)) => match self.writer.register_reader(cx.waker()) {
                Phase::Open => self.allowance = Some(Box::new(ready!(taking.as_mut().poll(cx)))),
                // It is not wanted any more.
                Phase::Closing | Phase::Closed => self.input = Input::Discard,
                Phase::Aborted => return Poll::Ready(Err(self.disconnected())),
            },
        }
        self.waiting = None;
        Poll::Ready(Ok(()))
    }

    /// Receives, and while it is a large message only as long as there is time: whoever sends one slowly would keep the memory
    /// from others.
    fn poll_receive_in_time(
        &mut self,
        room: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<io::Result<usize>, Late>> {
        match (self.poll_receive(room, cx), &mut self.allowance) {
            (Poll::Ready(received), _) => Poll::Ready(Ok(received)),
            (Poll::Pending, Some(allowance)) => allowance.poll_late(cx).map(Err),
            (Poll::Pending, None) => Poll::Pending,
        }
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

impl Drop for Reader {
    fn drop(&mut self) {
        self.writer.abort();
    }
}
