//! The messages of clients, encoded in a wire format.

use faf_client::Url;
use faf_protocol::WireFormat;
use faf_protocol::qdatastream::{self, PING_BLOCK, PONG_BLOCK};
use serde_json::json;

pub(crate) const PING: &str = r#"{"command":"ping"}"#;
pub(crate) const PONG: &str = r#"{"command":"pong"}"#;

/// Appends a message, given as ASCII JSON, in the encoding of a client.
pub(crate) fn encode(format: WireFormat, json: &str, out: &mut Vec<u8>) {
    match format {
        WireFormat::SimpleJson => {
            out.extend_from_slice(json.as_bytes());
            out.push(b'\n');
        }
        WireFormat::QDataStream => match json {
            PING => out.extend_from_slice(PING_BLOCK),
            PONG => out.extend_from_slice(PONG_BLOCK),
            _ => out.extend(qdatastream::pack_message([json]).expect("no message has 4 GiB")),
        },
        WireFormat::WebSocket => {
            frame_header(json.len() + 1, out);
            out.extend_from_slice(json.as_bytes());
            out.push(b'\n');
        }
    }
}

/// Appends the header of a frame with a mask of zeros, which changes nothing.
fn frame_header(length: usize, out: &mut Vec<u8>) {
    out.push(0x81);
    match length {
        0..=125 => out.push(0x80 | length as u8),
        126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
}

/// Returns the request to upgrade to WebSocket. The key in the answer is not checked.
pub(crate) fn upgrade(url: &Url) -> Vec<u8> {
    let (path, host) = (url.path(), url.authority());
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bG9hZCBnZW5lcmF0b3IgIQ==\r\n\r\n"
    )
    .into_bytes()
}

/// Returns a ping of at least this many bytes.
pub(crate) fn padded_ping(bytes: usize) -> String {
    let head = r#"{"command":"ping","padding":""#;
    match bytes.checked_sub(head.len() + 2) {
        Some(padding) => format!(r#"{head}{}"}}"#, "x".repeat(padding)),
        None => PING.to_owned(),
    }
}

/// Returns the request to host a public game.
pub(crate) fn game_host(title: &str, map: &str) -> String {
    json!({"command": "game_host", "title": title, "mod": "faf", "mapname": map, "visibility": "public",
        "password": null, "enforce_rating_range": false})
    .to_string()
}

/// Returns a command of the game process.
pub(crate) fn game_command(command: &str, args: &serde_json::Value) -> String {
    json!({"command": command, "target": "game", "args": args}).to_string()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use faf_protocol::{Decoded, Decoder, Limits, Message};

    use super::*;

    #[test]
    fn a_server_understands_it() {
        let long = format!(r#"{{"command":"notice","text":"{}"}}"#, "x".repeat(70_000));
        let middle = format!(r#"{{"command":"notice","text":"{}"}}"#, "x".repeat(700));
        for format in WireFormat::ALL {
            let mut bytes = Vec::new();
            let ping = padded_ping(1000);
            assert_eq!((ping.len(), padded_ping(20)), (1000, PING.to_owned()));
            let texts = [PING, PONG, r#"{"command":"ask_session"}"#, &middle, &long, &ping];
            for json in texts {
                encode(format, json, &mut bytes);
            }
            let mut decoder = Decoder::new(format, Limits::default());
            let mut buffer = BytesMut::from(&bytes[..]);
            for json in texts {
                let message: Message = json.parse().unwrap();
                assert_eq!(decoder.decode(&mut buffer), Ok(Some(Decoded::Message(message))));
            }
            assert!(buffer.is_empty());
        }
    }
}
