use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use faf_protocol::websocket::{CloseCode, Control, Role};
use faf_protocol::{Encode, EncodeError, Encoding, WireFormat};
use tokio::io::AsyncWrite;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::error::{Disconnected, Error};
use crate::halves::{SLICES, WriteHalf};
use crate::outbox::Outbox;
use crate::settings::{SentMessages, Settings};

/// The sending end of a connection. Copies are the same end.
///
/// While nothing waits, there is no task for writing. [`try_write`](Self::try_write) writes the
/// bytes that the operating system takes at once. Only for the rest, and for queued bytes, there is
/// a task until all of them are written.
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

/// The state of all copies. The fields that [`try_write`](Writer::try_write) needs come first, on
/// one cache line: they are fetched from memory for each of thousands of connections.
#[repr(C)]
struct Shared {
    format: WireFormat,
    role: Role,
    /// Whether the WebSocket peer has sent a binary message. Then it is sent binary messages, too.
    is_binary: AtomicBool,
    sent: Arc<SentMessages>,
    state: Mutex<State>,
    /// Notified whenever the outbox has become shorter or the connection is no longer open.
    changed: Notify,
    /// Held by the caller that drains. Callers get it in the order of their calls. It is allocated
    /// on first use, because most connections never drain.
    drain_turn: OnceLock<Box<tokio::sync::Mutex<()>>>,
    runtime: Handle,
}

#[repr(C)]
struct State {
    phase: Phase,
    /// Whether a task is flushing the outbox.
    is_flushing: bool,
    /// Whether [`Writer::keep_unsent_short`] was called.
    is_unsent_short: bool,
    /// `None` after the end has been sent or the connection is lost.
    write_half: Option<WriteHalf>,
    outbox: Outbox,
    /// Error of a write that failed.
    failure: Option<io::ErrorKind>,
    /// Waker of the flushing task, for the end of the connection: dropping a socket does not wake
    /// its tasks.
    flusher: Option<Waker>,
    /// Waker of the reader, for an abort.
    reader: Option<Waker>,
    /// Close frame, if it is not the normal one.
    ending: Option<Box<Control>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// New bytes are refused. Waiting bytes are still sent, and then the end.
    Closing,
    /// The end has been sent.
    Closed,
    /// Ended by this side or by a failure, without sending the waiting bytes.
    Aborted,
}

impl Writer {
    pub(crate) fn new(write_half: WriteHalf, settings: &Settings) -> Self {
        let state = State {
            phase: Phase::Open,
            outbox: Outbox::new(settings.outbox_limit),
            write_half: Some(write_half),
            failure: None,
            is_flushing: false,
            is_unsent_short: false,
            flusher: None,
            reader: None,
            ending: None,
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                changed: Notify::new(),
                drain_turn: OnceLock::new(),
                format: settings.format,
                role: settings.role,
                is_binary: AtomicBool::new(false),
                sent: Arc::clone(&settings.sent),
                runtime: Handle::current(),
            }),
        }
    }

    /// Returns the wire format of this connection.
    #[must_use]
    pub fn format(&self) -> WireFormat {
        self.shared.format
    }

    /// Returns the encoding of messages for this peer. In WebSocket that is text, until the peer
    /// has sent a binary message.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        let properties = self.shared.format.properties();
        match self.shared.is_binary.load(Ordering::Relaxed) {
            true => properties.binary_encoding,
            false => properties.encoding,
        }
    }

    /// Notes that the peer sends binary messages.
    pub(crate) fn answer_in_binary(&self) {
        self.shared.is_binary.store(true, Ordering::Relaxed);
    }

    /// Returns whether messages can still be sent: until this side closes or aborts the connection,
    /// or notices its loss.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.phase() == Phase::Open
    }

    /// Encodes a message as this side of the connection sends it.
    ///
    /// # Errors
    /// [`EncodeError`] for a message that cannot be expressed.
    pub fn encode(&self, message: &(impl Encode + ?Sized)) -> Result<Bytes, EncodeError> {
        match self.shared.role {
            Role::Client => self.shared.format.encode_as(Role::Client, message, random_mask),
            Role::Server => self.encoding().encode(message),
        }
    }

    /// Queues a message.
    ///
    /// # Errors
    /// [`Error::Disconnected`], [`Error::Encode`] and [`Error::OutboxFull`]; then nothing
    /// was queued.
    pub fn write(&self, message: &(impl Encode + ?Sized)) -> Result<(), Error> {
        self.write_many([message])
    }

    /// Queues several messages, with nothing between them.
    ///
    /// # Errors
    /// As [`write`](Self::write), for all of them at once.
    pub fn write_many<'a, M: Encode + ?Sized + 'a>(
        &self,
        messages: impl IntoIterator<Item = &'a M>,
    ) -> Result<(), Error> {
        let (frames, count) = self.encode_many(messages)?;
        self.write_raw(frames, count)
    }

    /// Queues bytes, which must be `messages` complete frames in this connection's format.
    ///
    /// # Errors
    /// [`Error::Disconnected`] and [`Error::OutboxFull`]; then nothing was queued.
    pub fn write_raw(&self, bytes: Bytes, messages: u64) -> Result<(), Error> {
        let mut state = self.shared.open()?;
        state.outbox.push(bytes)?;
        self.shared.ensure_flushing(&mut state);
        drop(state);
        self.shared.sent.add(self.shared.format, messages);
        Ok(())
    }

    /// Writes the bytes of these pieces that the operating system takes at once, in one vectored
    /// write, and queues the rest. Never waits. Returns whether everything was written.
    ///
    /// The pieces must be `messages` complete frames in this connection's format. The outbox
    /// accepts them even beyond its limit: this is for callers that write the next part after the
    /// last one is sent.
    ///
    /// # Errors
    /// [`Disconnected`]; then nothing was queued.
    pub fn try_write(&self, pieces: &[Bytes], messages: u64) -> Result<bool, Disconnected> {
        let mut state = self.shared.open()?;
        // Bytes that wait already must be sent first.
        if !state.outbox.is_empty() || state.is_flushing {
            state.outbox.push_rest(pieces, 0);
            self.shared.ensure_flushing(&mut state);
            drop(state);
            self.shared.sent.add(self.shared.format, messages);
            return Ok(false);
        }
        let State { write_half: Some(write_half), outbox, .. } = &mut *state else {
            return Err(Disconnected::Here);
        };
        match write_half.write_at_once(pieces) {
            Ok((written, is_all)) => {
                if !is_all {
                    outbox.push_rest(pieces, written);
                    self.shared.spawn_flusher(&mut state);
                }
                drop(state);
                self.shared.sent.add(self.shared.format, messages);
                Ok(is_all)
            }
            Err(error) => {
                let kind = error.kind();
                state.failure = Some(kind);
                self.shared.end(&mut state, Phase::Aborted);
                Err(Disconnected::Lost(kind.into()))
            }
        }
    }

    /// Queues the last bytes of a connection, even beyond the limit, and begins to
    /// [`close`](Self::close) it.
    pub fn finish(&self, pieces: impl IntoIterator<Item = Bytes>) {
        let mut state = self.shared.lock();
        if state.phase == Phase::Open {
            pieces.into_iter().for_each(|piece| state.outbox.push_last(piece));
            self.shared.start_close(&mut state);
        }
    }

    /// Lowers the limit of unsent bytes in the socket from
    /// [`UNSENT_BYTES`](crate::tcp::UNSENT_BYTES) to 16 KiB, so that later bytes reach the peer
    /// soon even while the socket is always full.
    pub fn keep_unsent_short(&self) {
        let mut state = self.shared.lock();
        if !std::mem::replace(&mut state.is_unsent_short, true)
            && let Some(write_half) = &state.write_half
        {
            write_half.keep_unsent_short();
        }
    }

    /// Returns the number of bytes in the outbox.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().outbox.waiting()
    }

    /// Returns the number of bytes that the operating system has taken from the outbox since the
    /// connection began. Bytes that it took at once do not count.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.shared.lock().outbox.taken()
    }

    /// Sends a message and waits until the operating system has taken all waiting bytes.
    ///
    /// # Errors
    /// As [`write`](Self::write) and [`drain`](Self::drain).
    pub async fn send(&self, message: &(impl Encode + ?Sized)) -> Result<(), Error> {
        self.send_many([message]).await
    }

    /// Sends messages as [`write_many`](Self::write_many) does, and waits as
    /// [`send`](Self::send) does.
    ///
    /// # Errors
    /// As [`write_many`](Self::write_many) and [`drain`](Self::drain).
    pub async fn send_many<'a, M: Encode + ?Sized + 'a>(
        &self,
        messages: impl IntoIterator<Item = &'a M>,
    ) -> Result<(), Error> {
        let (frames, count) = self.encode_many(messages)?;
        self.send_raw(frames, count).await
    }

    /// Sends bytes as [`write_raw`](Self::write_raw) does, and waits as [`send`](Self::send) does.
    ///
    /// # Errors
    /// As [`write_raw`](Self::write_raw) and [`drain`](Self::drain).
    pub async fn send_raw(&self, bytes: Bytes, messages: u64) -> Result<(), Error> {
        match self.waiting() {
            0 => drop(self.try_write(&[bytes], messages)?),
            _ => self.write_raw(bytes, messages)?,
        }
        self.drain().await
    }

    /// Waits until the operating system has taken all waiting bytes, which does not mean that the
    /// peer has read them. Callers take turns, in the order of their calls.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if the connection ends meanwhile or has ended, even if the bytes
    /// were delivered.
    pub async fn drain(&self) -> Result<(), Error> {
        let _turn = self.shared.drain_turn.get_or_init(Box::default).lock().await;
        loop {
            let changed = self.shared.changed.notified();
            {
                let mut state = self.shared.lock();
                if state.phase != Phase::Open {
                    return Err(Disconnected::Here.into());
                }
                self.shared.ensure_flushing(&mut state);
                if !state.is_flushing {
                    return Ok(());
                }
            }
            changed.await;
        }
    }

    /// Waits until at most `bytes` bytes wait for the peer, or the connection is no longer open.
    ///
    /// A program that waits here before it reads does not queue answers for a peer that does not
    /// read them.
    pub async fn wait_for_room(&self, bytes: usize) {
        self.wait_until(|outbox| outbox.waiting() <= bytes).await;
    }

    /// Waits until at most `bytes` bytes of control frames wait for the peer, or the connection is
    /// no longer open. Waiting messages do not count.
    pub(crate) async fn wait_for_control_room(&self, bytes: usize) {
        self.wait_until(|outbox| outbox.controls() <= bytes).await;
    }

    async fn wait_until(&self, holds: impl Fn(&Outbox) -> bool) {
        loop {
            let changed = self.shared.changed.notified();
            {
                let state = self.shared.lock();
                if state.phase != Phase::Open || holds(&state.outbox) {
                    return;
                }
            }
            changed.await;
        }
    }

    /// Ends the connection: refuses new bytes, sends the waiting ones and then the end, and waits
    /// until that is done.
    ///
    /// This waits for a peer that does not read. To avoid that, set a time limit and call
    /// [`abort`](Self::abort) after it. A WebSocket peer receives a close frame; see
    /// [`set_ending`](Self::set_ending). Keep reading until the reader returns
    /// [`Error::Disconnected`]: if a socket is dropped with unread input, the peer may lose bytes
    /// that it has not read yet.
    pub async fn close(&self) {
        self.start_close();
        loop {
            let changed = self.shared.changed.notified();
            if matches!(self.phase(), Phase::Closed | Phase::Aborted) {
                return;
            }
            changed.await;
        }
    }

    /// Sets the code and the reason of the WebSocket close frame. Only the first call has an
    /// effect. The default is [`CloseCode::Normal`] without a reason. The reason is cut after
    /// 123 bytes.
    pub fn set_ending(&self, code: CloseCode, reason: &str) {
        if self.shared.format.has_upgrade() {
            self.shared.lock().ending.get_or_insert_with(|| Box::new(Control::close(code, reason)));
        }
    }

    /// Answers the peer's close frame by one with the same code.
    pub(crate) fn answer_close(&self, code: Option<u16>) {
        let mut state = self.shared.lock();
        if code.is_some() {
            let reason = String::new();
            state.ending.get_or_insert_with(|| Box::new(Control::Close { code, reason }));
        }
        self.shared.start_close(&mut state);
    }

    /// Begins to [`close`](Self::close), without waiting.
    pub fn start_close(&self) {
        self.shared.start_close(&mut self.shared.lock());
    }

    /// Ends the connection now. Waiting messages are lost.
    pub fn abort(&self) {
        self.shared.end(&mut self.shared.lock(), Phase::Aborted);
    }

    /// Queues a WebSocket control frame, however many messages wait. If the peer does not read
    /// them, some control frames are dropped.
    pub(crate) fn write_control(&self, control: &Control) {
        let mask = (self.shared.role == Role::Client).then(random_mask);
        let mut state = self.shared.lock();
        if state.phase == Phase::Open {
            state.outbox.push_control(control.encode(mask));
            self.shared.ensure_flushing(&mut state);
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.shared.lock().phase
    }

    /// Returns the reason the connection is lost, if a write has failed.
    #[must_use]
    pub fn loss(&self) -> Option<Disconnected> {
        self.failure().map(|kind| Disconnected::Lost(kind.into()))
    }

    /// Returns the error of a write that failed.
    pub(crate) fn failure(&self) -> Option<io::ErrorKind> {
        self.shared.lock().failure
    }

    /// Registers the task to wake when the connection is aborted. Returns the phase.
    pub(crate) fn register_reader(&self, waker: &Waker) -> Phase {
        let mut state = self.shared.lock();
        match &mut state.reader {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        state.phase
    }

    /// Returns the frames of messages as one piece, and their number.
    fn encode_many<'a, M: Encode + ?Sized + 'a>(
        &self,
        messages: impl IntoIterator<Item = &'a M>,
    ) -> Result<(Bytes, u64), Error> {
        if !self.is_connected() {
            return Err(Disconnected::Here.into());
        }
        let frames: Vec<Bytes> =
            messages.into_iter().map(|message| self.encode(message)).collect::<Result<_, _>>()?;
        let count = frames.len() as u64;
        Ok((join(frames), count))
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("format", &self.shared.format).field("phase", &self.phase()).finish()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state, if messages can still be sent.
    fn open(&self) -> Result<MutexGuard<'_, State>, Disconnected> {
        let state = self.lock();
        match state.phase {
            Phase::Open => Ok(state),
            _ => Err(Disconnected::Here),
        }
    }

    fn start_close(self: &Arc<Self>, state: &mut State) {
        if state.phase != Phase::Open {
            return;
        }
        state.phase = Phase::Closing;
        if self.format.has_upgrade() {
            let normal = || Box::new(Control::close(CloseCode::Normal, ""));
            let ending = state.ending.take().unwrap_or_else(normal);
            let mask = (self.role == Role::Client).then(random_mask);
            state.outbox.push_last(ending.encode(mask));
        }
        self.ensure_flushing(state);
        self.changed.notify_waiters();
    }

    /// Starts a task that flushes if one is needed and there is none.
    fn ensure_flushing(self: &Arc<Self>, state: &mut State) {
        let is_needed = !state.outbox.is_empty() || state.phase == Phase::Closing;
        if is_needed && !state.is_flushing {
            self.spawn_flusher(state);
        }
    }

    /// Starts a task that flushes until the outbox and the stream are empty.
    fn spawn_flusher(self: &Arc<Self>, state: &mut State) {
        state.is_flushing = true;
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            poll_fn(|cx| {
                let mut state = shared.lock();
                if shared.poll_flush(&mut state, cx).is_pending() {
                    state.flusher = Some(cx.waker().clone());
                    shared.changed.notify_waiters();
                    return Poll::Pending;
                }
                state.is_flushing = false;
                state.flusher = None;
                Poll::Ready(())
            })
            .await;
        });
    }

    /// Writes all waiting bytes, and then, if the connection is closing, sends the end.
    fn poll_flush(&self, state: &mut State, cx: &mut Context<'_>) -> Poll<()> {
        let State { phase, outbox, write_half: Some(write_half), .. } = state else {
            return Poll::Ready(());
        };
        let ended = match ready!(poll_write_all(outbox, write_half, cx)) {
            Ok(()) if *phase == Phase::Open => {
                self.changed.notify_waiters();
                return Poll::Ready(());
            }
            Ok(()) => {
                // Fails if the peer has disconnected already, which does not need the end.
                let _ = ready!(Pin::new(write_half).poll_shutdown(cx));
                Phase::Closed
            }
            Err(error) => {
                state.failure = Some(error.kind());
                Phase::Aborted
            }
        };
        self.end(state, ended);
        Poll::Ready(())
    }

    fn end(&self, state: &mut State, phase: Phase) {
        if state.phase == Phase::Aborted {
            return;
        }
        state.phase = phase;
        state.outbox.clear();
        state.write_half = None;
        if phase == Phase::Aborted
            && let Some(reader) = state.reader.take()
        {
            reader.wake();
        }
        if let Some(flusher) = state.flusher.take() {
            flusher.wake();
        }
        self.changed.notify_waiters();
    }
}

fn poll_write_all(
    outbox: &mut Outbox,
    write_half: &mut WriteHalf,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !outbox.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = outbox.front(&mut slices);
        let written = ready!(Pin::new(&mut *write_half).poll_write_vectored(cx, &slices[..count]))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        outbox.advance(written);
    }
    Pin::new(write_half).poll_flush(cx)
}

/// Joins frames to one piece. The usual single frame is not copied.
fn join(mut frames: Vec<Bytes>) -> Bytes {
    match frames.len() {
        1 => frames.swap_remove(0),
        _ => frames.concat().into(),
    }
}

/// Returns a mask that no one between the peers can predict (RFC 6455 section 5.3).
fn random_mask() -> [u8; 4] {
    let mut mask = [0; 4];
    getrandom::fill(&mut mask).expect("the operating system has random numbers");
    mask
}
