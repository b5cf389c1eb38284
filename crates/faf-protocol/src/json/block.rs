//! Finds the bytes of a string that end it, escape others or must not occur in it, many bytes at a
//! time.

use wide::{u8x16, u8x32};

/// Number of bytes that are checked together at the beginning of a string: most strings are short
/// and plain.
pub(super) const SHORT: usize = 16;

/// Number of bytes that are checked together in a longer string.
pub(super) const LONG: usize = 32;

/// The special bytes of a block, one bit each; the first byte has the lowest bit.
pub(super) struct Block {
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    pub(super) controls: u64,
}

/// The largest control character.
const LAST_CONTROL: u8 = b' ' - 1;

/// Finds the special bytes with vectors of this type.
macro_rules! find_special {
    ($vector:ident, $bytes:expr) => {{
        let bytes = $vector::new($bytes);
        let last_control = $vector::splat(LAST_CONTROL);
        Self {
            quotes: bytes.simd_eq($vector::splat(b'"')).to_bitmask().into(),
            backslashes: bytes.simd_eq($vector::splat(b'\\')).to_bitmask().into(),
            controls: bytes.max(last_control).simd_eq(last_control).to_bitmask().into(),
        }
    }};
}

impl Block {
    #[inline]
    pub(super) fn short(bytes: [u8; SHORT]) -> Self {
        find_special!(u8x16, bytes)
    }

    #[inline]
    pub(super) fn long(bytes: [u8; LONG]) -> Self {
        find_special!(u8x32, bytes)
    }

    /// Returns the bytes of a long block that are escaped by a backslash before them. On entry,
    /// `escaped` says whether the first byte is; afterwards, whether the first byte of the next
    /// block is.
    #[inline]
    pub(super) fn escapes(&self, escaped: &mut bool) -> u64 {
        if self.backslashes == 0 {
            return u64::from(std::mem::take(escaped));
        }
        // In a run of backslashes, every other one is escaped. A run that begins at an even place
        // escapes the odd places up to the byte after it, so adding the runs that begin at odd
        // places flips exactly those that differ.
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let backslashes = self.backslashes & !u64::from(*escaped);
        let behind = backslashes << 1 | u64::from(*escaped);
        let begin_odd = backslashes & !EVEN & !behind;
        let carried = begin_odd + backslashes;
        let escapes = (EVEN ^ (carried << 1)) & behind;
        *escaped = escapes >> LONG & 1 != 0;
        escapes & ((1 << LONG) - 1)
    }
}
