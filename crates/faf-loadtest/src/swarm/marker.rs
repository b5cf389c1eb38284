//! The time of sending, inside a text: `~T` and 16 digits, Unix time in microseconds.

use std::time::{SystemTime, UNIX_EPOCH};

use faf_protocol::WireFormat;
use memchr::memmem;

const PREFIX: &str = "~T";
const DIGITS: usize = 16;
const LENGTH: usize = PREFIX.len() + DIGITS;

/// Length of the longest marker in bytes, in UTF-16.
const WIDE: usize = 2 * LENGTH;

/// Unix time in microseconds.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// Returns a marker of the current time.
pub(crate) fn stamp() -> String {
    format!("{PREFIX}{:0DIGITS$}", now())
}

/// Returns a text of `size` characters that begins with a marker of the current time; at least
/// the marker.
pub(crate) fn stamped(size: usize) -> String {
    let mut text = stamp();
    let padding = "the quick brown fox jumps over the lazy dog ";
    while text.len() < size {
        text.push_str(&padding[..padding.len().min(size - text.len())]);
    }
    text
}

/// Returns the bytes of an ASCII text in a wire format.
pub(crate) fn on_the_wire(format: WireFormat, ascii: &str) -> Vec<u8> {
    match format {
        WireFormat::QDataStream => ascii.bytes().flat_map(|byte| [0, byte]).collect(),
        WireFormat::SimpleJson | WireFormat::WebSocket => ascii.as_bytes().to_vec(),
    }
}

/// The search pattern in one wire format.
#[derive(Debug)]
pub(crate) struct MarkerFinder {
    prefix: memmem::Finder<'static>,
    /// Number of bytes per character.
    width: usize,
}

/// The last received bytes, in which a marker may have begun.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    bytes: [u8; WIDE - 1],
    length: usize,
}

impl Default for Tail {
    fn default() -> Self {
        Self { bytes: [0; WIDE - 1], length: 0 }
    }
}

impl MarkerFinder {
    pub(crate) fn new(format: WireFormat) -> Self {
        let prefix = on_the_wire(format, PREFIX);
        Self { width: prefix.len() / PREFIX.len(), prefix: memmem::Finder::new(&prefix).into_owned() }
    }

    /// Calls `found` with the time of every marker that ends in these bytes.
    pub(crate) fn find(&self, tail: &mut Tail, bytes: &[u8], mut found: impl FnMut(u64)) {
        let overlap = LENGTH * self.width - 1;
        let mut joint = [0; 2 * (WIDE - 1)];
        let front = &bytes[..bytes.len().min(overlap)];
        let length = tail.length + front.len();
        joint[..tail.length].copy_from_slice(&tail.bytes[..tail.length]);
        joint[tail.length..length].copy_from_slice(front);
        if tail.length > 0 {
            // A marker that is completely in the second half is found below.
            let behind = tail.length;
            self.search(&joint[..length], |at, moment| {
                if at < behind {
                    found(moment);
                }
            });
        }
        self.search(bytes, |_, moment| found(moment));
        let end = if bytes.len() >= overlap {
            &bytes[bytes.len() - overlap..]
        } else {
            &joint[length.saturating_sub(overlap)..length]
        };
        tail.bytes[..end.len()].copy_from_slice(end);
        tail.length = end.len();
    }

    fn search(&self, bytes: &[u8], mut found: impl FnMut(usize, u64)) {
        for at in self.prefix.find_iter(bytes) {
            let digits = bytes[at + PREFIX.len() * self.width..].chunks_exact(self.width).take(DIGITS);
            let mut moment = 0;
            let mut count = 0;
            for digit in digits {
                let Some(digit @ b'0'..=b'9') = digit.last() else { break };
                moment = moment * 10 + u64::from(digit - b'0');
                count += 1;
            }
            if count == DIGITS {
                found(at, moment);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_has_the_length_that_was_asked_for() {
        assert_eq!(stamped(1000).len(), 1000);
        assert_eq!(stamped(3).len(), LENGTH);
        assert!(stamped(300).is_ascii());
    }

    proptest! {
        #[test]
        fn every_marker_is_found_once_however_it_is_cut(
            moments in prop::collection::vec((0..10u64.pow(16), "[ ~T0-9]{0,20}"), 0..6),
            sizes in prop::collection::vec(1..60usize, 1..20),
        ) {
            for format in WireFormat::ALL {
                let text: String = moments.iter().map(|(moment, between)| format!("{between}|~T{moment:016}|")).collect();
                let bytes = on_the_wire(format, &text);
                let finder = MarkerFinder::new(format);
                // The text in between may contain markers by chance.
                let mut expected = Vec::new();
                finder.search(&bytes, |_, moment| expected.push(moment));
                prop_assert!(expected.len() >= moments.len());
                let (mut tail, mut found, mut rest) = (Tail::default(), Vec::new(), &bytes[..]);
                for size in sizes.iter().cycle() {
                    if rest.is_empty() {
                        break;
                    }
                    let (chunk, behind) = rest.split_at((*size).min(rest.len()));
                    finder.find(&mut tail, chunk, |moment| found.push(moment));
                    rest = behind;
                }
                prop_assert_eq!(&found, &expected, "{}", format);
            }
        }
    }
}
