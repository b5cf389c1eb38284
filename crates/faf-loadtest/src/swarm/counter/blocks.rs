//! QDataStream: a message is a block after its length, a big-endian `u32`.

/// Steps from one block to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blocks {
    /// The part of a length that has arrived.
    length: [u8; 4],
    /// Number of bytes of the length that have arrived.
    begun: usize,
    /// Number of missing bytes of the block, once the length is complete.
    left: usize,
}

impl Blocks {
    pub(super) fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut messages = 0;
        loop {
            if self.begun < 4 {
                let taken = bytes.len().min(4 - self.begun);
                self.length[self.begun..self.begun + taken].copy_from_slice(&bytes[..taken]);
                self.begun += taken;
                bytes = &bytes[taken..];
                if self.begun < 4 {
                    return messages;
                }
                self.left = u32::from_be_bytes(self.length) as usize;
            }
            if bytes.len() < self.left {
                self.left -= bytes.len();
                return messages;
            }
            bytes = &bytes[self.left..];
            self.begun = 0;
            messages += 1;
        }
    }
}
