//! Bytes of a client that are no message, or not one alone.

use bytes::BytesMut;
use faf_protocol::{
    ClientMessage, CommandError, DecodeError, Decoded, Decoder, FieldError, Limits, WireFormat,
};

/// Decodes the bytes of a connection.
#[derive(Debug)]
pub(super) struct Bytes {
    decoder: Decoder,
    buffer: BytesMut,
}

/// The content of bytes.
#[derive(Debug)]
pub(super) enum Read {
    /// A message, or the reason why it cannot be read.
    Message(Box<Result<ClientMessage, CommandError>>),
    /// The message is longer than any server accepts.
    TooLong,
    /// Nothing more can be read, and the server ends the connection without a message.
    End,
}

impl Bytes {
    pub(super) fn new(format: WireFormat) -> Self {
        Self { decoder: Decoder::new(format, Limits::default()), buffer: BytesMut::new() }
    }

    /// Reads bytes as a session of the server does.
    pub(super) fn read(&mut self, bytes: &[u8], is_logged_in: bool) -> Vec<Read> {
        self.buffer.extend_from_slice(bytes);
        let mut read = Vec::new();
        loop {
            match self.decoder.decode(&mut self.buffer) {
                Ok(Some(Decoded::Message(message))) => {
                    read.push(Read::Message(Box::new(ClientMessage::read(message))));
                }
                Ok(Some(Decoded::Control(_))) => {}
                Ok(None) => return read,
                Err(error) => {
                    let is_told = is_logged_in || matches!(error, DecodeError::NotAnObject { .. });
                    if matches!(error, DecodeError::TooLarge { .. }) {
                        read.push(Read::TooLong);
                    }
                    let error = FieldError { field: None, reason: error.to_string() };
                    read.push(match is_told {
                        true => Read::Message(Box::new(Err(CommandError { command: None, error }))),
                        false => Read::End,
                    });
                    return read;
                }
            }
        }
    }
}
