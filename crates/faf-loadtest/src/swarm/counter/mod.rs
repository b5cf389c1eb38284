//! Counts messages with as little work per byte as possible, however they are split into pieces.
//!
//! ```text
//! SimpleJson    count line feeds
//! QDataStream   step from length to length
//! WebSocket     step from frame header to frame header
//! ```
//!
//! Nothing is allocated, and only the position of the next header is kept.

mod blocks;
mod frames;
mod lines;

use faf_protocol::WireFormat;

use blocks::Blocks;
use frames::Frames;
use lines::Lines;

/// Counts the messages of one direction of a connection, from the server to the client.
#[derive(Debug, Clone)]
pub(crate) enum Counter {
    Lines(Lines),
    Blocks(Blocks),
    Frames(Frames),
}

impl Counter {
    pub(crate) fn new(format: WireFormat) -> Self {
        match format {
            WireFormat::SimpleJson => Self::Lines(Lines),
            WireFormat::QDataStream => Self::Blocks(Blocks::default()),
            WireFormat::WebSocket => Self::Frames(Frames::default()),
        }
    }

    /// Returns the number of messages that end in these bytes.
    pub(crate) fn count(&mut self, bytes: &[u8]) -> u64 {
        match self {
            Self::Lines(lines) => lines.count(bytes),
            Self::Blocks(blocks) => blocks.count(bytes),
            Self::Frames(frames) => frames.count(bytes),
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
