//! WebSocket: a message is one data frame, or several of which the last one is marked as final.

/// Longest header of a server's frame in bytes; it has no mask.
const HEADER: usize = 10;

/// Steps from one frame to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frames {
    /// The part of a header that has arrived.
    header: [u8; HEADER],
    /// Number of bytes of the header that have arrived.
    begun: usize,
    /// Number of missing bytes of the payload, once the header is complete.
    left: Option<u64>,
}

impl Frames {
    pub(super) fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut messages = 0;
        loop {
            let left = match self.left {
                Some(left) => left,
                None => {
                    let Some(length) = self.take_header(&mut bytes) else { return messages };
                    length
                }
            };
            if (bytes.len() as u64) < left {
                self.left = Some(left - bytes.len() as u64);
                return messages;
            }
            bytes = &bytes[left as usize..];
            self.left = None;
            self.begun = 0;
            messages += u64::from(self.ends_message());
        }
    }

    /// Takes missing bytes of a header; returns the length of the payload once it is complete.
    fn take_header(&mut self, bytes: &mut &[u8]) -> Option<u64> {
        loop {
            let size = match self.header[1] & 0x7F {
                _ if self.begun < 2 => 2,
                126 => 4,
                127 => HEADER,
                _ => 2,
            };
            let taken = bytes.len().min(size - self.begun);
            self.header[self.begun..self.begun + taken].copy_from_slice(&bytes[..taken]);
            self.begun += taken;
            *bytes = &bytes[taken..];
            if self.begun < size {
                return None;
            }
            let [_, short, long @ ..] = self.header;
            match (short & 0x7F, size) {
                (126, 4) => return Some(u64::from(u16::from_be_bytes([long[0], long[1]]))),
                (127, HEADER) => return Some(u64::from_be_bytes(long)),
                // The second byte shows that the header is longer.
                (126 | 127, _) => {}
                (short, _) => return Some(u64::from(short)),
            }
        }
    }

    /// Returns whether the frame is final and not a control frame.
    fn ends_message(&self) -> bool {
        self.header[0] & 0x80 != 0 && self.header[0] & 0x08 == 0
    }
}
