//! `faf-wire encode`: lines of JSON to bytes.

use std::io::{Read, Write};

use bytes::{Bytes, BytesMut};
use faf_protocol::gpgnet::{GpgNetMessage, framing};
use faf_protocol::websocket::Role;
use faf_protocol::{Decoded, Decoder, Limits, Message, WireFormat};

use crate::capture::{Capture, write_bytes};
use crate::exit::{self, Failure};

/// Number of bytes read at once.
const CHUNK: usize = 64 * 1024;

pub(crate) fn run(capture: &Capture, input: &mut impl Read, output: &mut impl Write) -> Result<(), Failure> {
    let mut decoder = Decoder::new(WireFormat::SimpleJson, Limits::default());
    let mut buffer = BytesMut::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = input.read(&mut chunk)?;
        buffer.extend_from_slice(&chunk[..length]);
        loop {
            let start = decoder.consumed();
            let decoded = match length {
                0 => decoder.finish(&mut buffer),
                _ => decoder.decode(&mut buffer),
            };
            match decoded.map_err(|error| Failure::decoding(&error, decoder.consumed()))? {
                Some(Decoded::Message(message)) => {
                    let bytes = encode(capture, &message).map_err(|error| not_encodable(&error, start))?;
                    write_bytes(output, &bytes, capture.hex)?;
                    output.flush()?;
                }
                Some(Decoded::Control(_)) => {}
                None => break,
            }
        }
        if length == 0 {
            return Ok(());
        }
    }
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
