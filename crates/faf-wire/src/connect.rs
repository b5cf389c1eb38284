//! `faf-wire connect`: a client for people and scripts.

use std::fmt;
use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use faf_client::Url;
use faf_connection::{Disconnected, Error, Reader, Writer};
use faf_protocol::{DecodeError, JsonRef, Limits, Message, simple_json};
use tokio::signal;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::dial::{self, Trust};
use crate::exit::{self, Failure, complain};
use crate::login::Login;
use crate::render::{Renderer, Style};

/// Time limit for the server to close its side after this one has.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// tcp://, qdatastream://, ws:// or wss:// with host and port
    #[arg(value_name = "URL")]
    url: Url,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    trust: Trust,
    /// End this many seconds after the end of standard input; without it, stay until the
    /// server ends
    #[arg(long, value_name = "SECONDS")]
    linger: Option<u64>,
    #[command(flatten)]
    style: Style,
}

/// State of a connection that determines the exit code.
#[derive(Debug, Default)]
struct ConnectionState {
    /// Whether a login was sent and no `welcome` has arrived yet.
    is_logging_in: AtomicBool,
    /// Whether the server has sent a message.
    has_received: AtomicBool,
    /// Whether a line of the input was not sent.
    has_unsent: AtomicBool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { url, login, trust, linger, style } = arguments;
    let login = login.messages()?;
    let connected = dial::connect(&trust.connector(&url)?, &url).await;
    let (reader, writer) = connected.map_err(|error| Failure::new(exit::WRONG_PLACE, error))?;
    let renderer = Renderer::new(style);
    let state = Arc::new(ConnectionState::default());
    state.is_logging_in.store(!login.is_empty(), Ordering::Relaxed);
    for message in &login {
        send(&writer, &renderer, &state, &simple_json::encode(message).map_err(anyhow::Error::from)?).await?;
    }
    let mut receiving = tokio::spawn(receive(reader, writer.clone(), renderer.clone(), Arc::clone(&state)));
    let typing = async {
        let mut lines = lines_of_standard_input();
        while let Some(line) = lines.recv().await {
            send(&writer, &renderer, &state, &line).await?;
        }
        match linger {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
        Ok::<(), Failure>(())
    };
    tokio::select! {
        received = &mut receiving => {
            received.map_err(anyhow::Error::from)??;
            return state.outcome(&url);
        }
        typed = typing => typed?,
        interrupted = signal::ctrl_c() => interrupted?,
    }
    // The server has received everything when it closes its side as well. Its last messages are
    // not shown.
    let closing = async {
        writer.close().await;
        receiving.await
    };
    if let Ok(received) = timeout(CLOSE_TIMEOUT, closing).await {
        received.map_err(anyhow::Error::from)??;
    }
    state.outcome_of_input()
}

impl ConnectionState {
    /// Returns the result after the server has closed the connection.
    fn outcome(&self, url: &Url) -> Result<(), Failure> {
        if self.is_logging_in.load(Ordering::Relaxed) {
            return Err(match self.has_received.load(Ordering::Relaxed) {
                true => Failure::new(exit::REFUSED, anyhow::anyhow!("the server did not accept the login")),
                false => Failure::new(
                    exit::WRONG_PLACE,
                    anyhow::anyhow!(
                        "{url} closed the connection without a message: it may use another format"
                    ),
                ),
            });
        }
        self.outcome_of_input()
    }

    fn outcome_of_input(&self) -> Result<(), Failure> {
        match self.has_unsent.load(Ordering::Relaxed) {
            true => Err(Failure::new(exit::UNSENT, anyhow::anyhow!("not everything was sent"))),
            false => Ok(()),
        }
    }

    fn report_unsent(&self, why: impl fmt::Display) {
        self.has_unsent.store(true, Ordering::Relaxed);
        complain(format_args!("not sent: {why}"));
    }
}

/// Sends a line if it is a message; otherwise reports the problem.
async fn send(
    writer: &Writer,
    renderer: &Renderer,
    state: &ConnectionState,
    line: &[u8],
) -> Result<(), Failure> {
    if line.trim_ascii().is_empty() {
        return Ok(());
    }
    match simple_json::decode_line(line, &Limits::default()) {
        Ok(message) => {
            renderer.sent(&message)?;
            match writer.send(&message).await {
                Ok(()) => Ok(()),
                // The reader will report the reason.
                Err(Error::Disconnected(_)) => {
                    state.report_unsent("the connection is closed");
                    Ok(())
                }
                Err(error) => Err(anyhow::Error::from(error).into()),
            }
        }
        Err(error) => {
            state.report_unsent(error);
            Ok(())
        }
    }
}

/// Prints the server's messages until the connection ends, and replies to its pings.
async fn receive(
    mut reader: Reader,
    writer: Writer,
    renderer: Renderer,
    state: Arc<ConnectionState>,
) -> Result<(), Failure> {
    loop {
        let message = match reader.read().await {
            Ok(message) => message,
            Err(Error::Malformed(error)) if !state.has_received.load(Ordering::Relaxed) => {
                let error = anyhow::anyhow!("the server uses another format: {error}");
                return Err(Failure::new(exit::WRONG_PLACE, error));
            }
            Err(error) => return end(error, reader.consumed()),
        };
        state.has_received.store(true, Ordering::Relaxed);
        renderer.received(&message)?;
        let command = message.command();
        if command.as_deref() == Some("welcome") {
            state.is_logging_in.store(false, Ordering::Relaxed);
        }
        if command.as_deref() == Some("authentication_failed") {
            let text = message.get("text").and_then(JsonRef::as_str).unwrap_or_default();
            return Err(Failure::new(exit::REFUSED, anyhow::anyhow!("the login was refused: {text}")));
        }
        if command.as_deref() == Some("ping") {
            renderer.sent(&Message::PONG)?;
            // If the connection is lost, the reader reports it.
            let _ = writer.write(&Message::PONG);
        }
    }
}

fn end(error: Error, consumed: u64) -> Result<(), Failure> {
    match error {
        Error::Disconnected(Disconnected::ByPeer | Disconnected::Here) => Ok(()),
        Error::Malformed(error) => Err(Failure::decoding(&error, consumed)),
        Error::Incomplete(incomplete) => {
            let error = DecodeError::Incomplete { got: incomplete.got, expected: incomplete.expected };
            Err(Failure::decoding(&error, consumed))
        }
        other => Err(anyhow::Error::from(other).into()),
    }
}

/// Reads lines on a thread, which works for terminals and pipes alike.
fn lines_of_standard_input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().split(b'\n') {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
