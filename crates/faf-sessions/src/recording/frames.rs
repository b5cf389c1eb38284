//! Takes the whole lines out of one file, frame by frame, with bounded memory.

use std::fs::File;
use std::io::{self, Read};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::format::LINE_LIMIT;

/// Bytes that are read at once.
const CHUNK: u64 = 256 * 1024;

/// Largest frame, decompressed: a line of the greatest length, and others before it.
const FRAME_LIMIT: usize = LINE_LIMIT + 1024 * 1024;

/// Largest block, before and after decompression (RFC 8878 section 3.1.1.2.4).
const BLOCK_LIMIT: usize = 128 * 1024;

/// Bytes of a file that is being read, possibly while it grows.
#[derive(Debug)]
pub(super) struct Frames {
    file: File,
    /// Bytes that were read and not used.
    unread: Vec<u8>,
}

/// The next part of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Whole lines.
    Lines(Vec<u8>),
    /// The file ends between two frames, or has no bytes at all.
    End,
    /// The file ends inside a frame or a line.
    Cut,
}

/// A part that is damaged, or cannot be read.
#[derive(Debug)]
pub(super) enum Problem {
    Read(io::Error),
    Damaged(String),
}

impl Frames {
    pub(super) fn new(file: File) -> Self {
        Self { file, unread: Vec::new() }
    }

    /// Returns the next part. After [`Part::End`] and [`Part::Cut`] it can be called again, when
    /// the file has grown.
    pub(super) fn next(&mut self) -> Result<Part, Problem> {
        loop {
            // A frame is only decompressed when all of it is there, so that the same bytes are
            // never decompressed twice, and damage can be told from a file that was cut off.
            match extent(&self.unread).map_err(Problem::Damaged)? {
                Extent::Frame(length) => {
                    let lines = decompress(&self.unread[..length]).map_err(Problem::Damaged)?;
                    self.unread.drain(..length);
                    if !lines.is_empty() && lines.last() != Some(&b'\n') {
                        return Err(Problem::Damaged("a frame ends inside a line".to_owned()));
                    }
                    return Ok(Part::Lines(lines));
                }
                Extent::Lines(length) => {
                    let rest = self.unread.split_off(length);
                    return Ok(Part::Lines(std::mem::replace(&mut self.unread, rest)));
                }
                Extent::Skipped(length) => drop(self.unread.drain(..length)),
                Extent::Incomplete if self.unread.len() > FRAME_LIMIT => {
                    return Err(Problem::Damaged(format!(
                        "a frame or a line of more than {FRAME_LIMIT} bytes"
                    )));
                }
                Extent::Incomplete => {
                    let read =
                        (&self.file).take(CHUNK).read_to_end(&mut self.unread).map_err(Problem::Read)?;
                    if read == 0 {
                        return Ok(if self.unread.is_empty() { Part::End } else { Part::Cut });
                    }
                }
            }
        }
    }

    /// Returns the whole lines in the complete blocks of a frame that was cut off. Nothing can be
    /// checked against the checksum at its end.
    pub(super) fn lines_before_the_cut(&mut self) -> Vec<u8> {
        let mut frame = std::mem::take(&mut self.unread);
        let Ok(Some(Walk { last_block: Some(last_block), end, is_whole: false })) = walk(&frame) else {
            return Vec::new();
        };
        // As if the last complete block were the last one of a frame without a checksum.
        frame.truncate(end);
        frame[last_block] |= 1;
        frame[4] &= !4;
        let mut lines = decompress(&frame).unwrap_or_default();
        lines.truncate(end_of_lines(&lines));
        lines
    }
}

/// Where the next part of some bytes ends.
#[derive(Debug, PartialEq, Eq)]
enum Extent {
    Frame(usize),
    /// Lines without compression.
    Lines(usize),
    /// Bytes for other programs.
    Skipped(usize),
    /// More bytes are needed to know it.
    Incomplete,
}

/// Finds the end of the next part, by the headers of the blocks in a frame (RFC 8878 section 3.1).
fn extent(bytes: &[u8]) -> Result<Extent, String> {
    const FRAME: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
    const SKIPPED: [u8; 3] = [0x2A, 0x4D, 0x18];

    if bytes.first() == Some(&b'{') {
        return Ok(match end_of_lines(bytes) {
            0 => Extent::Incomplete,
            end => Extent::Lines(end),
        });
    }
    let Some((magic, rest)) = bytes.split_first_chunk::<4>() else { return Ok(Extent::Incomplete) };
    if magic[0] & 0xF0 == 0x50 && magic[1..] == SKIPPED {
        let Some(length) = rest.first_chunk().map(|length| u32::from_le_bytes(*length) as usize) else {
            return Ok(Extent::Incomplete);
        };
        return Ok(if rest.len() - 4 < length { Extent::Incomplete } else { Extent::Skipped(8 + length) });
    }
    if *magic != FRAME {
        return Err("no frame begins where one should".to_owned());
    }
    Ok(match walk(bytes)? {
        Some(Walk { end, is_whole: true, .. }) => Extent::Frame(end),
        _ => Extent::Incomplete,
    })
}

/// The complete blocks of a frame.
struct Walk {
    /// Position of the header of the last complete block.
    last_block: Option<usize>,
    /// Position after that block, or after a whole frame.
    end: usize,
    is_whole: bool,
}

/// Walks over the headers of the blocks of a frame (RFC 8878 section 3.1.1). Returns nothing if not
/// even the header of the frame is there.
fn walk(bytes: &[u8]) -> Result<Option<Walk>, String> {
    let Some(descriptor) = bytes.get(4) else { return Ok(None) };
    let is_single = descriptor & 0x20 != 0;
    let window = usize::from(!is_single);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content = match descriptor >> 6 {
        0 => usize::from(is_single),
        flag => 1 << flag,
    };
    let checksum = if descriptor & 4 != 0 { 4 } else { 0 };
    let mut found = Walk { last_block: None, end: 5 + window + dictionary + content, is_whole: false };
    while let Some(header) = bytes.get(found.end..found.end + 3) {
        let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let size = (header >> 3) as usize;
        let stored = match header >> 1 & 3 {
            1 => 1,
            0 | 2 => size,
            _ => return Err("a block of a reserved type".to_owned()),
        };
        if size > BLOCK_LIMIT {
            return Err(format!("a block of {size} bytes"));
        }
        let end = found.end + 3 + stored;
        if bytes.len() < end {
            break;
        }
        let is_last = header & 1 != 0;
        if is_last && bytes.len() >= end + checksum {
            return Ok(Some(Walk { last_block: Some(found.end), end: end + checksum, is_whole: true }));
        }
        found = Walk { last_block: Some(found.end), end, is_whole: false };
        if is_last {
            break;
        }
    }
    Ok(Some(found))
}

/// Decompresses a whole frame, which must hold whole lines.
fn decompress(mut frame: &[u8]) -> Result<Vec<u8>, String> {
    let mut decoder = FrameDecoder::new();
    decoder.reset(&mut frame).map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    loop {
        let is_finished = decoder
            .decode_blocks(&mut frame, BlockDecodingStrategy::UptoBlocks(8))
            .map_err(|error| error.to_string())?;
        lines.extend(decoder.collect().unwrap_or_default());
        if lines.len() > FRAME_LIMIT {
            return Err(format!("a frame of more than {FRAME_LIMIT} bytes"));
        }
        if is_finished {
            break;
        }
    }
    let expected = decoder.get_checksum_from_data();
    if expected.is_some() && expected != decoder.get_calculated_checksum() {
        return Err("the checksum of a frame is wrong".to_owned());
    }
    Ok(lines)
}

/// Returns the position after the last line end.
fn end_of_lines(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |last| last + 1)
}
