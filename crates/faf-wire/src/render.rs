//! Messages on standard output: for people with colour and direction, for programs as plain lines
//! of JSON.

use std::io::{self, IsTerminal, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use faf_protocol::{Message, simple_json};

use crate::exit::Failure;

/// Members of messages that must not be visible on a screen.
const SECRETS: [&str; 2] = ["password", "token"];

const GREEN: &str = "\x1b[32m";
const BLUE: &str = "\x1b[34m";
const PLAIN: &str = "\x1b[0m";

/// Selection and style of the messages.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Style {
    /// Show only messages with these commands, such as player_info,game_info
    #[arg(long, value_name = "COMMANDS", value_delimiter = ',')]
    only: Vec<String>,
    /// Show the time (UTC) when each message was sent or received
    #[arg(long)]
    time: bool,
    /// Show each message on several lines, with indentation
    #[arg(long)]
    pretty: bool,
}

/// The direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    FromServer,
}

/// Writes messages to standard output.
#[derive(Debug, Clone)]
pub(crate) struct Renderer {
    style: Style,
    is_terminal: bool,
}

impl Renderer {
    pub(crate) fn new(style: Style) -> Self {
        Self { style, is_terminal: io::stdout().is_terminal() }
    }

    /// Prints a message from the server.
    pub(crate) fn received(&self, message: &Message) -> Result<(), Failure> {
        let mark = if self.is_terminal { format!("{GREEN}<<{PLAIN} ") } else { String::new() };
        self.show(&mark, message, |message| Ok(message.clone()))
    }

    /// Prints a message to the server, on a terminal: a program knows which messages it has sent.
    pub(crate) fn sent(&self, message: &Message) -> Result<(), Failure> {
        match self.is_terminal {
            true => self.show(&format!("{BLUE}>>{PLAIN} "), message, without_secrets),
            false => Ok(()),
        }
    }

    /// Prints a message that is passed on for a client, with its direction.
    pub(crate) fn passed_on(&self, whose: &str, way: Way, message: &Message) -> Result<(), Failure> {
        let (sign, colour) = match way {
            Way::ToServer => (">>", BLUE),
            Way::FromServer => ("<<", GREEN),
        };
        let mark = match self.is_terminal {
            true => format!("{whose} {colour}{sign}{PLAIN} "),
            false => format!("{whose} {sign} "),
        };
        self.show(&mark, message, without_secrets)
    }

    /// Writes a message, unless it is not wanted, as a line of JSON or several. It is all ASCII, so
    /// nothing in it moves the cursor or imitates other text.
    fn show(
        &self,
        mark: &str,
        message: &Message,
        shown: impl Fn(&Message) -> anyhow::Result<Message>,
    ) -> Result<(), Failure> {
        let only = &self.style.only;
        let is_wanted = |command| only.iter().any(|one| *one == command);
        if !only.is_empty() && !message.command().is_some_and(is_wanted) {
            return Ok(());
        }
        let line = simple_json::encode(&shown(message)?).map_err(anyhow::Error::from)?;
        let mut output = io::stdout().lock();
        if self.style.time {
            write!(output, "{} ", time_of_day(SystemTime::now()))?;
        }
        output.write_all(mark.as_bytes())?;
        match self.style.pretty {
            true => output.write_all(&indented(&line))?,
            false => output.write_all(&line)?,
        }
        Ok(output.flush()?)
    }
}

fn without_secrets(message: &Message) -> anyhow::Result<Message> {
    let mut message = message.clone();
    for secret in SECRETS {
        if message.get(secret).is_some() {
            message.set(secret, "...")?;
        }
    }
    Ok(message)
}

/// Formats the time of day as `12:34:56.789`.
fn time_of_day(now: SystemTime) -> String {
    let millis = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() % (24 * 60 * 60 * 1000);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Indents a line of JSON. It was checked before, so only strings must be recognized.
fn indented(line: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(line.len() * 2);
    let (mut depth, mut is_text, mut is_escaped) = (0, false, false);
    let mut bytes = line.trim_ascii_end().iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        // Brackets, commas and colons inside a string are not structure.
        if is_text {
            text.push(byte);
            (is_text, is_escaped) = (byte != b'"' || is_escaped, byte == b'\\' && !is_escaped);
            continue;
        }
        // Empty objects and lists stay on their line, as `jq` and Python write them.
        match byte {
            b'{' | b'[' if bytes.peek().is_some_and(|next| matches!(next, b'}' | b']')) => text.push(byte),
            b'{' | b'[' => {
                depth += 1;
                text.push(byte);
                begin_line(&mut text, depth);
            }
            b'}' | b']' if text.ends_with(b"{") || text.ends_with(b"[") => text.push(byte),
            b'}' | b']' => {
                depth -= 1;
                begin_line(&mut text, depth);
                text.push(byte);
            }
            b',' => {
                text.push(byte);
                begin_line(&mut text, depth);
            }
            b':' => text.extend_from_slice(b": "),
            byte if byte.is_ascii_whitespace() => {}
            byte => {
                is_text = byte == b'"';
                text.push(byte);
            }
        }
    }
    text.push(b'\n');
    text
}

fn begin_line(text: &mut Vec<u8>, depth: usize) {
    text.push(b'\n');
    text.resize(text.len() + 2 * depth, b' ');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn json_is_indented() {
        let text = indented(br#"{"a":[1,{"b":"x,{\"\\"},[],{}],"c":null}"#);
        let expected = r#"{
  "a": [
    1,
    {
      "b": "x,{\"\\"
    },
    [],
    {}
  ],
  "c": null
}
"#;
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[test]
    fn the_time_of_day_is_shown() {
        let at = UNIX_EPOCH + Duration::from_millis(1_782_907_200_000 + 3_661_042);
        assert_eq!(time_of_day(at), "13:01:01.042");
    }
}
