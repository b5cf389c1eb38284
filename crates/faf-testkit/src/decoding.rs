//! Laws of decoding that hold for any bytes; the fuzz targets of the decoders check them.

use bytes::BytesMut;
use faf_protocol::gpgnet::{GameToServer, GpgNetMessage, ServerToGame, framing};
use faf_protocol::websocket::Role;
use faf_protocol::{
    ClientMessage, DecodeError, Decoded, Decoder, Limits, Message, ServerMessage, WireFormat, simple_json,
};

/// Limits that are low enough for short inputs to reach them.
const LIMITS: Limits = Limits { message: 4096, nesting: 16 };

/// Decodes a stream of QDataStream blocks. The first eight bytes determine the cuts.
///
/// # Panics
/// If a law does not hold.
pub fn check_qdatastream(bytes: &[u8]) {
    check_stream(|limits| Decoder::new(WireFormat::QDataStream, limits), bytes);
}

/// Decodes a stream of SimpleJson lines. The first eight bytes determine the cuts.
///
/// # Panics
/// If a law does not hold.
pub fn check_simple_json(bytes: &[u8]) {
    check_stream(|limits| Decoder::new(WireFormat::SimpleJson, limits), bytes);
}

/// Decodes a stream of WebSocket frames, and the same bytes as lines inside of frames. The first
/// byte selects the reading side, the next eight determine the cuts.
///
/// # Panics
/// If a law does not hold.
pub fn check_websocket(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    check_stream(|limits| Decoder::for_role(WireFormat::WebSocket, role, limits), bytes);
    check_websocket_cuts(bytes);
}

/// Decodes bytes at once and in pieces, which must give the same result, and uses every decoded
/// message in every way.
fn check_stream(new_decoder: impl Fn(Limits) -> Decoder, bytes: &[u8]) {
    let (cuts, stream) = bytes.split_at(bytes.len().min(8));
    let whole = decode(&mut new_decoder(LIMITS), [stream]);
    let pieces = pieces(stream, cuts);
    assert_eq!(decode(&mut new_decoder(LIMITS), pieces), whole, "cut by {cuts:?}");
    for decoded in whole.0 {
        if let Decoded::Message(message) = decoded {
            check_message(message);
        }
    }
}

/// Sends lines as WebSocket messages with cuts at any place. If the lines give the same when they
/// come together and one by one, every other cut gives the same as well. A value that spans several
/// lines must come in one message.
fn check_websocket_cuts(bytes: &[u8]) {
    let (cuts, stream) = bytes.split_at(bytes.len().min(8));
    let stream = [&stream[..stream.len().min(LIMITS.message / 2)], b"\n"].concat();
    let read = |pieces: Vec<&[u8]>| {
        let frames: Vec<Vec<u8>> = pieces.into_iter().map(websocket_message).collect();
        let mut decoder = Decoder::new(WireFormat::WebSocket, LIMITS);
        let read = decode(&mut decoder, frames.iter().map(Vec::as_slice));
        (read, decoder.is_between_messages())
    };
    let whole = read(vec![&stream]);
    let lines = stream.split_inclusive(|byte| *byte == b'\n').collect();
    if whole.0.1.is_ok() && read(lines) == whole {
        assert_eq!(read(pieces(&stream, cuts)), whole, "cut by {cuts:?}");
    }
}

/// Returns a frame as a client sends it, with a mask of zeros.
fn websocket_message(text: &[u8]) -> Vec<u8> {
    let length = (text.len() as u64).to_be_bytes();
    let header = match text.len() {
        0..=125 => vec![0x80 | length[7]],
        126..=0xFFFF => [&[0x80 | 126][..], &length[6..]].concat(),
        _ => [&[0x80 | 127][..], &length].concat(),
    };
    [&[0x81][..], &header, &[0; 4], text].concat()
}

/// Decodes the game's own framing at once and in pieces, which must give the same result, and
/// encodes the decoded messages again.
///
/// # Panics
/// If a law does not hold.
pub fn check_gpgnet(bytes: &[u8]) {
    let (cuts, stream) = bytes.split_at(bytes.len().min(8));
    let decode = |pieces: Vec<&[u8]>| {
        let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            loop {
                match framing::decode(&mut buffer, &LIMITS) {
                    Ok(Some(message)) => found.push(message),
                    Ok(None) => break,
                    Err(error) => return (found, Err(same_for_all_cuts(error))),
                }
            }
        }
        (found, framing::finish(&buffer))
    };
    let whole = decode(vec![stream]);
    assert_eq!(decode(pieces(stream, cuts)), whole, "cut by {cuts:?}");
    for message in whole.0 {
        check_commands(&message);
        let Ok(again) = framing::encode(&message) else { continue };
        assert_eq!(framing::decode(&mut BytesMut::from(again), &Limits::default()), Ok(Some(message)));
    }
}

/// Reads a JSON text as a message.
///
/// # Panics
/// If a law does not hold.
pub fn check_json(text: &[u8]) {
    if let Ok(message) = std::str::from_utf8(text).unwrap_or_default().parse::<Message>() {
        check_message(message);
    }
}

/// Checks that a decoded message can be encoded in every format, and decodes to the same message.
fn check_message(message: Message) {
    for format in WireFormat::ALL {
        let Ok(frame) = format.encode(&message) else { continue };
        // In QDataStream a heartbeat is a word, without room for other members.
        let expected = match message.command().as_deref() {
            Some("ping") if format == WireFormat::QDataStream => Message::PING,
            Some("pong") if format == WireFormat::QDataStream => Message::PONG,
            _ => message.clone(),
        };
        let limits = Limits { message: usize::MAX, nesting: 128 };
        let mut decoder = Decoder::for_role(format, Role::Client, limits);
        let again = decoder.decode(&mut BytesMut::from(frame));
        assert_eq!(again, Ok(Some(Decoded::Message(expected))), "{format}");
    }
    if let Ok(gpgnet) = GpgNetMessage::from_message(&message) {
        check_commands(&gpgnet);
    }
    if let Ok(typed) = ServerMessage::read(message.clone()) {
        assert!(simple_json::encode(&typed).is_ok());
    }
    if let Ok(typed) = ClientMessage::read(message) {
        assert!(simple_json::encode(&typed).is_ok());
    }
}

/// Checks that typed commands accept any message.
fn check_commands(message: &GpgNetMessage) {
    let _ = GameToServer::read(message);
    let _ = ServerToGame::read(message);
}

fn decode<'a>(
    decoder: &mut Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Decoded>, Result<(), DecodeError>) {
    let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(decoded)) => found.push(decoded),
                Ok(None) => break,
                Err(error) => return (found, Err(same_for_all_cuts(error))),
            }
        }
    }
    let end = decoder.finish(&mut buffer).map(|last| found.extend(last)).map_err(same_for_all_cuts);
    (found, end)
}

/// Removes the size from an error: a line without an end is rejected as soon as it is too large,
/// with the bytes received by then.
fn same_for_all_cuts(error: DecodeError) -> DecodeError {
    match error {
        DecodeError::TooLarge { limit, .. } => DecodeError::TooLarge { size: 0, limit },
        other => other,
    }
}

/// Cuts a stream into pieces whose lengths follow from `cuts`, repeated as often as needed.
fn pieces<'a>(mut stream: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let mut lengths = cuts.iter().cycle();
    let mut pieces = Vec::new();
    while !stream.is_empty() {
        let length = lengths.next().map_or(1, |cut| usize::from(*cut) % 32 + 1).min(stream.len());
        let (piece, rest) = stream.split_at(length);
        pieces.push(piece);
        stream = rest;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::wire::{bytes, vectors};

    #[test]
    fn the_laws_hold_for_all_recorded_bytes() {
        for (format, protocol) in
            [(WireFormat::QDataStream, "qdatastream"), (WireFormat::SimpleJson, "simplejson")]
        {
            for vector in vectors(protocol, "read_stream") {
                let chunks = vector.input["chunks"].as_array().expect("a list").iter().map(bytes);
                // The first eight bytes determine the cuts; bytes far beyond the limit make
                // no difference.
                let cuts = [3, 1, 4, 1, 5, 9, 2, 6];
                let stream: Vec<u8> =
                    cuts.into_iter().chain(chunks.flatten()).take(3 * LIMITS.message).collect();
                check_stream(|limits| Decoder::new(format, limits), &stream);
                check_gpgnet(&stream);
            }
        }
        for vector in vectors("simplejson", "decode_message") {
            let text = bytes(&vector.input["bytes"]);
            check_json(&text);
            for cuts in [[0; 8], [1; 8], [3, 1, 4, 1, 5, 9, 2, 6], [31; 8]] {
                check_websocket_cuts(&[&cuts[..], &text].concat());
            }
        }
    }

    #[test]
    fn the_pieces_add_up_to_the_stream() {
        let stream: Vec<u8> = (0..100).collect();
        assert_eq!(pieces(&stream, &[]).concat(), stream);
        assert_eq!(pieces(&stream, &[0, 255]).concat(), stream);
        assert_eq!(pieces(&stream, &[1, 2])[..2], [&stream[..2], &stream[2..5]]);
    }
}
