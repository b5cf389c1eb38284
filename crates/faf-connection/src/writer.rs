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

/// The sending end of a connection. Copies of it are the same end.
///
/// There is no task for writing while nothing waits. [`try_write`](Self::try_write) gives the
/// operating system what it takes at once; only for the rest, and for what was only queued, there
/// is a task until all of it is gone.
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

/// The fields that [`try_write`](Writer::try_write) needs come first, on one cache line: they are
/// fetched from memory for each of thousands of connections.
#[repr(C)]
struct Shared {
    format: WireFormat,
    role: Role,
    /// The peer sends binary messages, in WebSocket, and is answered in kind.
    is_binary: AtomicBool,
    sent: Arc<SentMessages>,
    state: Mutex<State>,
    /// Told whenever the outbox has become shorter or the connection is no longer open.
    changed: Notify,
    /// Held by the caller that drains. Fair: callers get it in the order they asked. Most
    /// connections never drain.
    drain_turn: OnceLock<Box<tokio::sync::Mutex<()>>>,
    runtime: Handle,
}

#[repr(C)]
struct State {
    phase: Phase,
    /// A task waits for the peer to take more.
    is_flushing: bool,
    /// See [`Writer::keep_unsent_short`].
    is_unsent_short: bool,
    /// Missing once the end has been sent or the connection is lost.
    write_half: Option<WriteHalf>,
    outbox: Outbox,
    /// Why the connection is lost, if writing has failed.
    failure: Option<io::ErrorKind>,
    /// That task, to be woken when there is nothing to wait for any more: a socket that is dropped
    /// wakes nobody.
    flusher: Option<Waker>,
    /// The reader, to be woken when the connection is aborted.
    reader: Option<Waker>,
    /// The close frame, if it is not the normal one.
    ending: Option<Box<Control>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Nothing new is taken; everything that waits still goes out, and then the end.
    Closing,
    /// The end has been sent.
    Closed,
    /// Ended without regard to what waits, here or by a failure.
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

    /// The wire format of this connection.
    #[must_use]
    pub fn format(&self) -> WireFormat {
        self.shared.format
    }

    /// How messages for this peer are encoded. In WebSocket that is text, until the peer has sent a
    /// binary message.
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

    /// Whether messages can still be sent: true until closing or aborting begins here, or a loss is
    /// noticed.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.phase() == Phase::Open
    }

    /// The bytes of a message, as this side of the connection sends it.
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
    /// [`Error::Disconnected`], [`Error::Encode`] and [`Error::OutboxFull`]; nothing was queued then.
    pub fn write(&self, message: &(impl Encode + ?Sized)) -> Result<(), Error> {
        self.write_many([message])
    }

    /// Queues messages, one after the other, with nothing between them.
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

    /// Queues bytes as they are: `messages` complete frames of this connection's format.
    ///
    /// # Errors
    /// [`Error::Disconnected`] and [`Error::OutboxFull`]; nothing was queued then.
    pub fn write_raw(&self, bytes: Bytes, messages: u64) -> Result<(), Error> {
        let mut state = self.shared.open()?;
        state.outbox.push(bytes)?;
        self.shared.ensure_flushing(&mut state);
        drop(state);
        self.shared.sent.add(self.shared.format, messages);
        Ok(())
    }

    /// Gives the operating system what it takes of these pieces at once, in one vectored write; the
    /// rest follows by itself. Never waits. Returns whether all of it is gone.
    ///
    /// The pieces are `messages` complete frames of this connection's format. The outbox takes all
    /// of them, whatever its limit is: this is for callers that hand over the next part when the
    /// last one is gone.
    ///
    /// # Errors
    /// [`Disconnected`]; nothing was queued then.
    pub fn try_write(&self, pieces: &[Bytes], messages: u64) -> Result<bool, Disconnected> {
        let mut state = self.shared.open()?;
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

    /// Queues the last bytes of a connection, whatever the limit says, and begins to
    /// [`close`](Self::close) it.
    pub fn finish(&self, pieces: impl IntoIterator<Item = Bytes>) {
        let mut state = self.shared.lock();
        if state.phase == Phase::Open {
            pieces.into_iter().for_each(|piece| state.outbox.push_last(piece));
            self.shared.start_close(&mut state);
        }
    }

    /// From now on the operating system takes little before it can be sent: 16 KiB instead of
    /// [`UNSENT`](crate::tcp::UNSENT). So what is handed over next is not far from the peer, though
    /// much is handed over all the time.
    pub fn keep_unsent_short(&self) {
        let mut state = self.shared.lock();
        if !std::mem::replace(&mut state.is_unsent_short, true)
            && let Some(write_half) = &state.write_half
        {
            write_half.keep_unsent_short();
        }
    }

    /// How many bytes wait for the peer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().outbox.waiting()
    }

    /// How many bytes the operating system has taken of what waited here, since the connection
    /// began. Bytes that it took at once do not count.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.shared.lock().outbox.taken()
    }

    /// Sends a message and waits until all that waits has been handed to the operating system.
    ///
    /// # Errors
    /// As [`write`](Self::write) and [`drain`](Self::drain).
    pub async fn send(&self, message: &(impl Encode + ?Sized)) -> Result<(), Error> {
        self.send_many([message]).await
    }

    /// Sends messages as [`write_many`](Self::write_many) does, and waits as [`send`](Self::send)
    /// does.
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

    /// Waits until nothing waits for the peer any more. Callers take turns, in the order they
    /// asked.
    ///
    /// That all has been handed to the operating system does not mean that the peer has read it.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if the connection ends meanwhile or has ended, even if what waited was delivered.
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
    /// A program that reads from a peer only then queues no answers for one that does not read
    /// them.
    pub async fn wait_for_room(&self, bytes: usize) {
        self.wait_until(|outbox| outbox.waiting() <= bytes).await;
    }

    /// Waits until at most `bytes` bytes of control frames wait for the peer, or the connection is
    /// no longer open. Waiting messages, however many, do not keep the peer from being read.
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

    /// Ends the connection: takes nothing more, sends everything that waits and then the end, and
    /// waits until that is done.
    ///
    /// It waits for a peer that does not read; whoever does not want to, gives it a time limit and
    /// calls [`abort`](Self::abort) after that. A WebSocket peer gets a close frame; see
    /// [`set_ending`](Self::set_ending). Keep reading until the reader says *disconnected*: a
    /// socket that is dropped with unread input takes back what the peer has not read yet.
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

    /// Sets what a WebSocket peer is told in the close frame: why the connection is ended, and in
    /// some words. The first that is set counts; default [`CloseCode::Normal`] and no words. Words
    /// beyond 123 bytes are cut.
    pub fn set_ending(&self, code: CloseCode, reason: &str) {
        if self.shared.format.has_upgrade() {
            self.shared.lock().ending.get_or_insert_with(|| Box::new(Control::close(code, reason)));
        }
    }

    /// The peer has sent a close frame, which is answered by one with the same code.
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

    /// Queues a WebSocket control frame in answer to one, however much waits; of many that are not
    /// read, some are not sent.
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

    /// Why the connection is lost, if writing has shown that it is.
    #[must_use]
    pub fn loss(&self) -> Option<Disconnected> {
        self.failure().map(|kind| Disconnected::Lost(kind.into()))
    }

    /// The failure of a write, if there was one.
    pub(crate) fn failure(&self) -> Option<io::ErrorKind> {
        self.shared.lock().failure
    }

    /// Remembers the task to wake when the connection is aborted; returns the phase.
    pub(crate) fn register_reader(&self, waker: &Waker) -> Phase {
        let mut state = self.shared.lock();
        match &mut state.reader {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        state.phase
    }

    /// The frames of messages as one piece, and how many there are.
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
        // Nothing that holds the lock leaves the state half changed, so a panic elsewhere does no
        // harm here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, if something can still be sent.
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

    /// Makes sure that a task flushes, if there is something to do.
    fn ensure_flushing(self: &Arc<Self>, state: &mut State) {
        let is_needed = !state.outbox.is_empty() || state.phase == Phase::Closing;
        if is_needed && !state.is_flushing {
            self.spawn_flusher(state);
        }
    }

    /// Starts a task that flushes until nothing waits, neither here nor in the stream.
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

    /// Writes until nothing waits, and then, if the connection is closing, sends the end.
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
                // A peer that is gone already has no use for the end.
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

/// One piece of all frames; the usual single one is not copied.
fn join(mut frames: Vec<Bytes>) -> Bytes {
    match frames.len() {
        1 => frames.swap_remove(0),
        _ => frames.concat().into(),
    }
}

/// A mask that nobody between the peers can foresee (RFC 6455 section 5.3).
fn random_mask() -> [u8; 4] {
    let mut mask = [0; 4];
    getrandom::fill(&mut mask).expect("the operating system has random numbers");
    mask
}
