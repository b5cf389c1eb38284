//! Shared by `decode` and `encode`: the formats of a capture, and bytes as hexadecimal digits.

use std::io::{self, Write};

use bytes::Bytes;
use clap::{Args, ValueEnum};
use faf_protocol::WireFormat;

/// Framing of the captured bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Blocks of UTF-16 strings, of old clients
    #[value(name = "qdatastream")]
    QDataStream,
    /// One line of JSON per message
    SimpleJson,
    /// Frames after the HTTP upgrade
    #[value(name = "websocket")]
    WebSocket,
    /// The binary framing between a game and its client
    Gpgnet,
}

impl Format {
    /// Returns the wire format of the lobby; `None` for the framing of games.
    pub(crate) fn of_lobby(self) -> Option<WireFormat> {
        match self {
            Self::QDataStream => Some(WireFormat::QDataStream),
            Self::SimpleJson => Some(WireFormat::SimpleJson),
            Self::WebSocket => Some(WireFormat::WebSocket),
            Self::Gpgnet => None,
        }
    }
}

/// A capture of one direction of a connection.
#[derive(Debug, Clone, Args)]
pub(crate) struct Capture {
    /// Framing of the bytes
    #[arg(long)]
    pub(crate) format: Format,
    /// The bytes are hexadecimal digits: read with any white space, written as one line per message
    #[arg(long)]
    pub(crate) hex: bool,
    #[command(flatten)]
    pub(crate) side: Side,
}

/// The side that sent the bytes. Only WebSocket differs: clients mask their frames.
#[derive(Debug, Clone, Copy, Default, Args)]
#[group(multiple = false)]
pub(crate) struct Side {
    /// The bytes come from a client
    #[arg(long)]
    pub(crate) from_client: bool,
    /// The bytes come from a server
    #[arg(long)]
    pub(crate) from_server: bool,
}

/// Reads hexadecimal digits in pieces, with any white space between them.
#[derive(Debug, Default)]
pub(crate) struct HexReader {
    /// First digit of a byte whose second digit has not arrived yet.
    half: Option<u8>,
    /// Number of characters read so far.
    position: u64,
}

impl HexReader {
    /// Passes the bytes of another piece to `take`.
    ///
    /// # Errors
    /// A description with the position of a character that is not a digit.
    pub(crate) fn read(&mut self, text: &[u8], mut take: impl FnMut(u8)) -> Result<(), String> {
        for character in text {
            if !character.is_ascii_whitespace() {
                let Some(digit) = char::from(*character).to_digit(16) else {
                    return Err(format!("offset {}: not a hexadecimal digit", self.position));
                };
                let digit = digit as u8;
                match self.half.take() {
                    Some(half) => take(half << 4 | digit),
                    None => self.half = Some(digit),
                }
            }
            self.position += 1;
        }
        Ok(())
    }

    /// Checks the end of the digits.
    ///
    /// # Errors
    /// A description with the position, if they end inside a byte.
    pub(crate) fn finish(&self) -> Result<(), String> {
        match self.half {
            Some(_) => {
                Err(format!("offset {}: the input ends between the two digits of a byte", self.position))
            }
            None => Ok(()),
        }
    }
}

/// Writes bytes as they are, or as a line of hexadecimal digits.
pub(crate) fn write_bytes(output: &mut impl Write, bytes: &[u8], as_hex: bool) -> io::Result<()> {
    if as_hex { writeln!(output, "{:x}", Bytes::copy_from_slice(bytes)) } else { output.write_all(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_may_come_in_any_pieces() {
        let mut reader = HexReader::default();
        let mut bytes = Vec::new();
        for piece in ["0", "1 ff", "\nA", "b"] {
            reader.read(piece.as_bytes(), |byte| bytes.push(byte)).unwrap();
        }
        assert_eq!((bytes, reader.finish()), (vec![0x01, 0xFF, 0xAB], Ok(())));
        assert_eq!(reader.read(b"0x", |_| {}), Err("offset 9: not a hexadecimal digit".to_owned()));
        assert!(reader.finish().is_err_and(|error| error.contains("between the two digits")));
        let mut written = Vec::new();
        write_bytes(&mut written, &[1, 0xAB], true).unwrap();
        assert_eq!(written, b"01ab\n");
    }
}
