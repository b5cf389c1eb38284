//! Counts messages with as little work per byte as possible, however they are split into pieces.
//!
//! ```text
//! SimpleJson    count line feeds
//! QDataStream   step from block to block, each after its length, a big-endian u32
//! WebSocket     step from frame to frame; the last data frame of a message is marked as final
//! ```
//!
//! Nothing is allocated, and only the header of the current block or frame is kept.

use faf_protocol::WireFormat;

/// Longest header in bytes, that of a server's frame; it has no mask.
const HEADER: usize = 10;

/// Counts the messages of one direction of a connection, from the server to the client.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    format: WireFormat,
    /// The part of a header that has arrived.
    header: [u8; HEADER],
    /// Number of bytes of the header that have arrived.
    begun: usize,
    /// Number of missing bytes of the payload, once the header is complete.
    left: Option<u64>,
}

impl Counter {
    pub(crate) fn new(format: WireFormat) -> Self {
        Self { format, header: [0; HEADER], begun: 0, left: None }
    }

    /// Returns the number of messages that end in these bytes.
    pub(crate) fn count(&mut self, mut bytes: &[u8]) -> u64 {
        if self.format == WireFormat::SimpleJson {
            // A message contains no line break, so each one ends a message.
            return memchr::memchr_iter(b'\n', bytes).count() as u64;
        }
        let mut messages = 0;
        loop {
            let Some(left) = self.left.or_else(|| self.take_header(&mut bytes)) else { return messages };
            if (bytes.len() as u64) < left {
                self.left = Some(left - bytes.len() as u64);
                return messages;
            }
            bytes = &bytes[left as usize..];
            (self.begun, self.left) = (0, None);
            // The first byte of a frame says whether it is final, and whether it is data.
            let ends_message = self.format != WireFormat::WebSocket || self.header[0] & 0x88 == 0x80;
            messages += u64::from(ends_message);
        }
    }

    /// Takes missing bytes of a header; returns the length of the payload once it is complete.
    fn take_header(&mut self, bytes: &mut &[u8]) -> Option<u64> {
        loop {
            let size = match (self.format, self.header[1] & 0x7F) {
                (WireFormat::QDataStream, _) => 4,
                (_, 126) if self.begun >= 2 => 4,
                (_, 127) if self.begun >= 2 => HEADER,
                _ => 2,
            };
            let taken = bytes.len().min(size - self.begun);
            self.header[self.begun..self.begun + taken].copy_from_slice(&bytes[..taken]);
            self.begun += taken;
            *bytes = &bytes[taken..];
            if self.begun < size {
                return None;
            }
            let [first, second, long @ ..] = self.header;
            match (self.format, size, second & 0x7F) {
                (WireFormat::QDataStream, ..) => {
                    return Some(u32::from_be_bytes([first, second, long[0], long[1]]).into());
                }
                (_, 4, _) => return Some(u16::from_be_bytes([long[0], long[1]]).into()),
                (_, HEADER, _) => return Some(u64::from_be_bytes(long)),
                // The second byte shows that the header is longer.
                (_, _, 126 | 127) => {}
                (_, _, short) => return Some(short.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use faf_protocol::websocket::Control;
    use faf_protocol::{Message, WireFormat};
    use proptest::prelude::*;

    use super::Counter;

    /// Messages of all sizes that change the header.
    fn message() -> impl Strategy<Value = Message> {
        let text = prop_oneof![
            8 => "[ -~é日]{0,200}",
            1 => (0..70_000usize).prop_map(|length| "x".repeat(length)),
            1 => (130_000..270_000usize).prop_map(|length| "y".repeat(length)),
        ];
        prop_oneof![
            1 => Just(Message::PING),
            1 => Just(Message::PONG),
            6 => text.prop_map(|text| {
                let mut message = Message::new("notice");
                message.set("text", &text).unwrap();
                message
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_message_is_counted_once_however_it_is_cut(
            messages in prop::collection::vec(message(), 0..8),
            sizes in prop::collection::vec(prop_oneof![3 => 1..30usize, 1 => 1..100_000usize], 1..50),
        ) {
            for format in WireFormat::ALL {
                let mut bytes = Vec::new();
                for message in &messages {
                    bytes.extend_from_slice(&format.encode(message).unwrap());
                    if format == WireFormat::WebSocket {
                        // Control frames are not messages.
                        bytes.extend_from_slice(&Control::Ping(bytes::Bytes::from_static(b"?")).encode(None));
                    }
                }
                let (mut counter, mut counted, mut rest) = (Counter::new(format), 0, &bytes[..]);
                for size in sizes.iter().cycle() {
                    if rest.is_empty() {
                        break;
                    }
                    let (chunk, behind) = rest.split_at((*size).min(rest.len()));
                    counted += counter.count(chunk);
                    rest = behind;
                }
                prop_assert_eq!(counted, messages.len() as u64, "{}", format);
            }
        }
    }
}
