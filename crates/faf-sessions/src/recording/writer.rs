//! Writes one file of a recording.

use std::io::{self, Write};
use std::time::Duration;

use super::Entry;
use super::format::{End, Header, write_end, write_entry};

/// Bytes of lines that make a frame: 256 KiB. Larger frames are hardly smaller on the disk, and
/// lose more when the program is killed.
pub const FRAME_BYTES: usize = 256 * 1024;

/// Longest time of entries in a frame.
pub const FRAME_TIME: Duration = Duration::from_secs(1);

/// Fills the second argument, which is empty, with a `zstd` frame that holds the first one, and
/// a checksum.
///
/// A [`FileWriter`] calls it for each frame, at most once a second while little happens. The lines
/// are some [`FRAME_BYTES`], and more only if the last of them is longer. The caller brings the
/// compression, so that programs that only read recordings do not build it. Lines that are left
/// as they are make a recording, too.
pub type Compress = dyn FnMut(&[u8], &mut Vec<u8>) -> io::Result<()> + Send;

/// A file of a recording that is being written.
///
/// Entries are gathered into a frame. It is written when it is full, when an entry is more than
/// [`FRAME_TIME`] later than its first one, and when the caller calls [`flush`](Self::flush), which
/// it should do each second while nothing happens. After an error the file must not be used.
pub struct FileWriter<W> {
    out: W,
    compress: Box<Compress>,
    /// Lines of the frame.
    lines: Vec<u8>,
    /// Time of its first entry.
    began: Option<Duration>,
    compressed: Vec<u8>,
    written: u64,
}

impl<W: Write> FileWriter<W> {
    /// Begins a file: writes its header at once.
    ///
    /// # Errors
    /// Those of `out` and of `compress`, as for all functions here.
    pub fn begin(out: W, header: &Header, compress: Box<Compress>) -> io::Result<Self> {
        let mut lines = serde_json::to_vec(header)?;
        lines.push(b'\n');
        let mut file = Self { out, compress, lines, began: None, compressed: Vec::new(), written: 0 };
        file.flush()?;
        Ok(file)
    }

    /// Adds an entry. Times must not run backwards.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn add(&mut self, at: Duration, entry: &Entry) -> io::Result<()> {
        let is_late = |began: Duration| at.saturating_sub(began) > FRAME_TIME;
        if self.began.is_some_and(is_late) {
            self.flush()?;
        }
        self.began.get_or_insert(at);
        write_entry(&mut self.lines, at, entry);
        if self.lines.len() >= FRAME_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes the entries that are waiting.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        self.compressed.clear();
        (self.compress)(&self.lines, &mut self.compressed)?;
        self.out.write_all(&self.compressed)?;
        self.out.flush()?;
        self.written += self.compressed.len() as u64;
        self.began = None;
        self.lines.clear();
        // A single long message must not keep its memory.
        self.lines.shrink_to(2 * FRAME_BYTES);
        self.compressed.shrink_to(2 * FRAME_BYTES);
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self, end: End) -> io::Result<()> {
        write_end(&mut self.lines, end);
        self.flush()
    }

    /// Returns the number of bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }
}
