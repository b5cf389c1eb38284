//! `faf-wire encode`: lines of JSON to bytes.

use std::io::{Read, Write};

use bytes::{Bytes, BytesMut};
use clap::Args;
use faf_protocol::gpgnet::{GpgNetMessage, framing};
use faf_protocol::{Decoded, Decoder, Limits, Message, WireFormat, websocket};

use crate::capture::{Format, Side, write_bytes};
use crate::exit::Failure;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How the bytes are framed
    #[arg(long)]
    format: Format,
    /// Write hexadecimal digits, one line a message
    #[arg(long)]
    hex: bool,
    #[command(flatten)]
    side: Side,
}

pub(crate) fn run(
    arguments: &Arguments,
    input: &mut impl Read,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let mut decoder = Decoder::new(WireFormat::SimpleJson, Limits::default());
    let mut buffer = BytesMut::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = input.read(&mut chunk)?;
        buffer.extend_from_slice(&chunk[..length]);
        loop {
            let decoded = match length {
                0 => decoder.finish(&mut buffer),
                _ => decoder.decode(&mut buffer),
            };
            match decoded.map_err(|error| Failure::decoding(&error, decoder.consumed()))? {
                Some(Decoded::Message(message)) => {
                    write_bytes(output, &encode(arguments, &message)?, arguments.hex)?;
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

fn encode(arguments: &Arguments, message: &Message) -> Result<Bytes, Failure> {
    let frame = match arguments.format {
        Format::QDataStream => WireFormat::QDataStream.encode(message),
        Format::SimpleJson => WireFormat::SimpleJson.encode(message),
        Format::WebSocket if arguments.side.from_client => {
            let mut mask = [0; 4];
            getrandom::fill(&mut mask).map_err(anyhow::Error::from)?;
            websocket::encode_masked(message, mask)
        }
        Format::WebSocket => WireFormat::WebSocket.encode(message),
        Format::Gpgnet => {
            let message = GpgNetMessage::from_message(message).map_err(anyhow::Error::from)?;
            return framing::encode(&message).map_err(|error| anyhow::Error::from(error).into());
        }
    };
    frame.map_err(|error| anyhow::Error::from(error).into())
}
