//! Messages on standard output: for people with colour and direction, for programs as plain lines of JSON.

use std::io::{self, IsTerminal, Write};

use faf_protocol::{Message, simple_json};

use crate::exit::Failure;

/// Members of messages that nobody should see over somebody's shoulder.
const SECRETS: [&str; 2] = ["password", "token"];

const GREEN: &str = "\x1b[32m";
const BLUE: &str = "\x1b[34m";
const PLAIN: &str = "\x1b[0m";

/// Writes messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renderer {
    is_terminal: bool,
}

impl Renderer {
    pub(crate) fn new() -> Self {
        Self { is_terminal: io::stdout().is_terminal() }
    }

    /// Shows a message from the server.
    pub(crate) fn received(self, message: &Message) -> Result<(), Failure> {
        let line = simple_json::encode(message).map_err(anyhow::Error::from)?;
        let mut output = io::stdout().lock();
        if self.is_terminal {
            write!(output, "{GREEN}<<{PLAIN} ")?;
        }
        output.write_all(&line)?;
        Ok(output.flush()?)
    }

    /// Shows a message to the server, on a terminal: a program knows what it has sent.
    pub(crate) fn sent(self, message: &Message) -> Result<(), Failure> {
        if !self.is_terminal {
            return Ok(());
        }
        let mut message = message.clone();
        for secret in SECRETS {
            if message.get(secret).is_some() {
                message.set(secret, "...").map_err(anyhow::Error::from)?;
            }
        }
        let line = simple_json::encode(&message).map_err(anyhow::Error::from)?;
        let mut output = io::stdout().lock();
        write!(output, "{BLUE}>>{PLAIN} ")?;
        output.write_all(&line)?;
        Ok(output.flush()?)
    }
}
