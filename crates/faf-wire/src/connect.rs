//! `faf-wire connect`: a client for people and scripts.

use std::io::{self, BufRead};
use std::time::Duration;

use clap::Args;
use faf_connection::{Disconnected, Error, Reader, Writer};
use faf_protocol::{DecodeError, Limits, Message, simple_json};
use tokio::signal;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::dial::{Dialer, Introduction, Trust};
use crate::exit::{Failure, complain};
use crate::login::Credentials;
use crate::render::Renderer;
use crate::url::Url;

/// How long the server may take to end its side when this one has.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// tcp://, qdatastream://, ws:// or wss:// with host and port
    #[arg(value_name = "URL")]
    url: Url,
    #[command(flatten)]
    credentials: Credentials,
    #[command(flatten)]
    trust: Trust,
    /// End this many seconds after the end of standard input; without it, stay until the server ends
    #[arg(long, value_name = "SECONDS")]
    linger: Option<u64>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { url, credentials, trust, linger } = arguments;
    let login = credentials.messages()?;
    let (reader, writer) = Dialer::new(&url, &trust)?.dial(&url, &Introduction::default()).await?;
    let renderer = Renderer::new();
    for message in &login {
        send(&writer, renderer, &simple_json::encode(message).map_err(anyhow::Error::from)?).await?;
    }
    let mut receiving = tokio::spawn(receive(reader, writer.clone(), renderer));
    let typing = async {
        let mut lines = lines_of_standard_input();
        while let Some(line) = lines.recv().await {
            send(&writer, renderer, &line).await?;
        }
        match linger {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
        Ok::<(), Failure>(())
    };
    tokio::select! {
        received = &mut receiving => return received.map_err(anyhow::Error::from)?,
        typed = typing => typed?,
        interrupted = signal::ctrl_c() => interrupted?,
    }
    // The server has everything when it ends its side, too. What it says meanwhile is not looked at.
    let goodbye = async {
        writer.close().await;
        receiving.await
    };
    match timeout(CLOSE_TIMEOUT, goodbye).await {
        Ok(received) => received.map_err(anyhow::Error::from)?,
        Err(_) => Ok(()),
    }
}

/// Sends a line, if it is a message; otherwise says what is wrong with it.
async fn send(writer: &Writer, renderer: Renderer, line: &[u8]) -> Result<(), Failure> {
    if line.trim_ascii().is_empty() {
        return Ok(());
    }
    match simple_json::decode_line(line, &Limits::default()) {
        Ok(message) => {
            renderer.sent(&message)?;
            match writer.send(&message).await {
                // What is left to be read says why.
                Ok(()) | Err(Error::Disconnected(_)) => Ok(()),
                Err(error) => Err(anyhow::Error::from(error).into()),
            }
        }
        Err(error) => {
            complain(format_args!("not sent: {error}"));
            Ok(())
        }
    }
}

/// Shows what the server says until it ends, and answers its pings.
async fn receive(mut reader: Reader, writer: Writer, renderer: Renderer) -> Result<(), Failure> {
    loop {
        let message = match reader.read().await {
            Ok(message) => message,
            Err(error) => return end(error, reader.consumed()),
        };
        renderer.received(&message)?;
        if message.command().as_deref() == Some("ping") {
            renderer.sent(&Message::PONG)?;
            // If the connection is lost, reading says so.
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

/// Lines are read on a thread: there is no other way to wait for a terminal and a pipe alike.
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
