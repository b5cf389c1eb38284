//! `faf-wire encode`: lines of JSON to bytes.

use std::io::{Read, Write};

use bytes::Bytes;
use faf_protocol::gpgnet::{GpgNetMessage, framing};
use faf_protocol::websocket::Role;
use faf_protocol::{Message, WireFormat};

use crate::capture::{Capture, write_bytes};
use crate::decode::{Messages, read_messages};
use crate::exit::{self, Failure};

pub(crate) fn run(capture: &Capture, input: &mut impl Read, output: &mut impl Write) -> Result<(), Failure> {
    let lines = Messages::read_by(Role::Server, WireFormat::SimpleJson);
    read_messages(lines, None, input, |message, start| {
        let bytes = encode(capture, &message).map_err(|error| not_encodable(&error, start))?;
        write_bytes(output, &bytes, capture.hex)?;
        Ok(output.flush()?)
    })
}

/// Returns the failure for a message that JSON can express but the format cannot.
fn not_encodable(error: &anyhow::Error, offset: u64) -> Failure {
    Failure::new(exit::MALFORMED, anyhow::anyhow!("offset {offset}: {error:#}"))
}

fn encode(capture: &Capture, message: &Message) -> anyhow::Result<Bytes> {
    let Some(format) = capture.format.of_lobby() else {
        return Ok(framing::encode(&GpgNetMessage::from_message(message)?)?);
    };
    if !capture.side.from_client {
        return Ok(format.encode(message)?);
    }
    let mut mask = [0; 4];
    getrandom::fill(&mut mask)?;
    Ok(format.encode_as(Role::Client, message, || mask)?)
}
