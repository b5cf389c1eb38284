//! `faf-wire decode`: bytes to lines of JSON.

use std::io::{Read, Write};

use bytes::BytesMut;
use faf_protocol::gpgnet::framing;
use faf_protocol::websocket::Role;
use faf_protocol::{DecodeError, Decoded, Decoder, Limits, Message, WireFormat, simple_json};

use crate::capture::{Capture, HexReader, Side};
use crate::exit::{self, Failure};

/// Number of bytes read at once.
const CHUNK: usize = 64 * 1024;

/// The bit of the second byte of a WebSocket frame that marks it as masked, as clients do.
const MASKED: u8 = 0x80;

pub(crate) fn run(capture: &Capture, input: &mut impl Read, output: &mut impl Write) -> Result<(), Failure> {
    let hex = capture.hex.then(HexReader::default);
    read_messages(Messages::new(capture), hex, input, |message, _| print(output, &message))
}

/// Passes every message of the input to `take`, with the offset after the one before.
pub(crate) fn read_messages(
    mut messages: Messages,
    mut hex: Option<HexReader>,
    input: &mut impl Read,
    mut take: impl FnMut(Message, u64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut buffer = BytesMut::new();
    let mut chunk = vec![0; CHUNK];
    let fails = |error: DecodeError, messages: &Messages| Failure::decoding(&error, messages.consumed());
    loop {
        let length = input.read(&mut chunk)?;
        let digits = match &mut hex {
            Some(hex) => hex.read(&chunk[..length], |byte| buffer.extend_from_slice(&[byte])),
            None => {
                buffer.extend_from_slice(&chunk[..length]);
                Ok(())
            }
        };
        let mut start = messages.consumed();
        while let Some(message) = messages.next(&mut buffer).map_err(|error| fails(error, &messages))? {
            take(message, start)?;
            start = messages.consumed();
        }
        // The messages before the wrong digit have been taken.
        digits.map_err(|error| Failure::new(exit::MALFORMED, anyhow::anyhow!(error)))?;
        if length == 0 {
            let digits = hex.map_or(Ok(()), |hex| hex.finish());
            digits.map_err(|error| Failure::new(exit::INCOMPLETE, anyhow::anyhow!(error)))?;
            return match messages.finish(&mut buffer).map_err(|error| fails(error, &messages))? {
                Some(message) => take(message, start),
                None => Ok(()),
            };
        }
    }
}

fn print(output: &mut impl Write, message: &Message) -> Result<(), Failure> {
    let line = simple_json::encode(message).map_err(anyhow::Error::from)?;
    output.write_all(&line)?;
    // The reader of a pipe may wait for it.
    Ok(output.flush()?)
}

/// Decoder of the messages in a stream of bytes.
pub(crate) enum Messages {
    Lobby(Decoder),
    /// A format whose first bytes will show which side sent them.
    Undecided(WireFormat),
    /// The framing of games, with the number of bytes consumed.
    Game(u64),
}

impl Messages {
    fn new(capture: &Capture) -> Self {
        let Some(format) = capture.format.of_lobby() else { return Self::Game(0) };
        match capture.side {
            Side { from_client: true, .. } => Self::read_by(Role::Server, format),
            Side { from_server: true, .. } => Self::read_by(Role::Client, format),
            _ if format.has_upgrade() => Self::Undecided(format),
            _ => Self::read_by(Role::Server, format),
        }
    }

    pub(crate) fn read_by(role: Role, format: WireFormat) -> Self {
        Self::Lobby(Decoder::for_role(format, role, Limits::default()))
    }

    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Message>, DecodeError> {
        match self {
            Self::Lobby(decoder) => loop {
                match decoder.decode(buffer)? {
                    Some(Decoded::Message(message)) => return Ok(Some(message)),
                    Some(Decoded::Control(_)) => {}
                    None => return Ok(None),
                }
            },
            Self::Undecided(format) => {
                let Some(second) = buffer.get(1) else { return Ok(None) };
                let reader = if second & MASKED == 0 { Role::Client } else { Role::Server };
                *self = Self::read_by(reader, *format);
                self.next(buffer)
            }
            Self::Game(consumed) => {
                let before = buffer.len();
                let message = framing::decode(buffer, &Limits::default())?;
                *consumed += (before - buffer.len()) as u64;
                Ok(message.map(|message| message.to_message()))
            }
        }
    }

    fn finish(&mut self, buffer: &mut BytesMut) -> Result<Option<Message>, DecodeError> {
        match self {
            Self::Lobby(decoder) => match decoder.finish(buffer)? {
                Some(Decoded::Message(message)) => Ok(Some(message)),
                Some(Decoded::Control(_)) | None => Ok(None),
            },
            Self::Undecided(_) if buffer.is_empty() => Ok(None),
            Self::Undecided(_) => Err(DecodeError::Incomplete { got: buffer.len(), expected: None }),
            Self::Game(_) => framing::finish(buffer).map(|()| None),
        }
    }

    fn consumed(&self) -> u64 {
        match self {
            Self::Lobby(decoder) => decoder.consumed(),
            Self::Undecided(_) => 0,
            Self::Game(consumed) => *consumed,
        }
    }
}
