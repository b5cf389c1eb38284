//! Reads the frames of one direction, and the lines in them.

use bytes::{Buf, BytesMut};

use super::{
    BINARY, CLOSE, CONTINUATION, CONTROL_LIMIT, FINAL, HEADER_LIMIT, MASK, MASKED, PING, PONG, RESERVED_BITS,
    Role, TEXT, apply_mask, read_control,
};
use crate::error::{DecodeError, Malformed};
use crate::json::progress::{Completeness, Progress};
use crate::limits::Limits;
use crate::message::Message;
use crate::simple_json::{decode_line, is_blank, is_cut};
use crate::wire::{Decoded, StreamDecoder};

/// The checked header of a frame.
struct Header {
    is_final: bool,
    opcode: u8,
    mask: Option<[u8; 4]>,
    /// Size of the header, in bytes.
    size: usize,
    /// Size of the payload, in bytes.
    length: usize,
}

impl Header {
    fn is_control(&self) -> bool {
        self.opcode >= CLOSE
    }
}

/// Reads the frames of one direction and splits them into messages and control frames.
#[derive(Debug)]
pub(crate) struct FrameReader {
    role: Role,
    /// Whether a binary message has come.
    is_binary: bool,
    /// Lines that were not taken yet, and the beginning of an incomplete one.
    payload: BytesMut,
    /// Number of bytes at the front of the payload that were searched for the line's end.
    searched: usize,
    /// State of the line, if it was checked before its end had arrived.
    line: Option<Box<Line>>,
    /// Offset of the payload in bytes from the beginning of its frame, for the offsets of errors.
    base: usize,
    /// The frame that is being received.
    frame: Option<Frame>,
    /// Whether the reader is inside a fragmented message.
    is_fragmented: bool,
}

/// A line that continues in another WebSocket message, or over line ends inside of one.
#[derive(Debug)]
struct Line {
    progress: Progress,
    /// Number of its bytes that have been checked.
    followed: usize,
}

/// A data frame of which a part is already in the payload.
#[derive(Debug, Clone, Copy)]
struct Frame {
    left: usize,
    /// The mask, rotated for the next byte.
    mask: Option<[u8; 4]>,
}

impl StreamDecoder for FrameReader {
    fn is_binary(&self) -> bool {
        self.is_binary
    }

    fn is_between_messages(&self) -> bool {
        self.payload.is_empty() && self.frame.is_none() && !self.is_fragmented
    }

    fn kept(&self) -> usize {
        self.payload.len()
    }

    fn shrink(&mut self) {
        self.payload = BytesMut::from(&self.payload[..]);
    }

    /// A frame announces its length, but a line may continue after it, which is only known once the
    /// frame has arrived.
    fn at_most(&self, buffer: &BytesMut, limits: &Limits) -> usize {
        let any = HEADER_LIMIT + MASK + limits.message_in_force();
        if self.is_fragmented || self.line.is_some() {
            return any;
        }
        match (self.frame, self.read_header(buffer, limits)) {
            (Some(frame), _) => self.payload.len() + frame.left,
            (None, Ok(Some(header))) if header.is_final => header.size + header.length,
            _ => any,
        }
    }

    fn decode(&mut self, buffer: &mut BytesMut, limits: &Limits) -> Result<Option<Decoded>, DecodeError> {
        loop {
            // Lines that have arrived come before anything that was sent after them.
            if let Some(message) = self.next_line(limits)? {
                return Ok(Some(Decoded::Message(message)));
            }
            // The part of a data frame that has arrived is taken at once: a line in it may be
            // complete before the frame is.
            if let Some(frame) = self.frame {
                if buffer.is_empty() {
                    return Ok(None);
                }
                self.take_some(frame, buffer);
                continue;
            }
            let Some(header) = self.read_header(buffer, limits)? else {
                return Ok(None);
            };
            let end = header.size + header.length;
            // Control frames may come between the fragments of a message, and are short.
            if header.is_control() {
                if buffer.len() < end {
                    return Ok(None);
                }
                let payload = &mut buffer[header.size..end];
                if let Some(mask) = header.mask {
                    apply_mask(payload, mask);
                }
                let control = read_control(header.opcode, payload)?;
                buffer.advance(end);
                return Ok(Some(Decoded::Control(control)));
            }
            self.is_binary |= header.opcode == BINARY;
            self.is_fragmented = !header.is_final;
            if self.payload.is_empty() {
                self.base = header.size;
            }
            if let Some(message) = self.take_whole(&header, buffer, limits)? {
                return Ok(Some(Decoded::Message(message)));
            }
        }
    }

    fn finish(&mut self, buffer: &BytesMut, limits: &Limits) -> Result<Option<Decoded>, DecodeError> {
        let is_begun = self.frame.is_some() || !self.payload.is_empty();
        let got = if is_begun { self.base } else { 0 } + self.payload.len() + buffer.len();
        if !buffer.is_empty() || self.frame.is_some() || self.is_fragmented {
            return Err(DecodeError::Incomplete { got, expected: None });
        }
        if self.payload.is_empty() {
            return Ok(None);
        }
        let last = decode_line(&self.payload, limits);
        if last.as_ref().is_err_and(|error| is_cut(error, &self.payload)) {
            return Err(DecodeError::Incomplete { got, expected: None });
        }
        let base = self.base;
        self.end_line(self.payload.len());
        last.map(|message| Some(Decoded::Message(message))).map_err(|error| error.shifted(base))
    }
}

impl FrameReader {
    pub(crate) fn new(role: Role) -> Self {
        Self {
            role,
            is_binary: false,
            payload: BytesMut::new(),
            searched: 0,
            line: None,
            base: 0,
            frame: None,
            is_fragmented: false,
        }
    }

    /// Begins a data frame. If all of it has arrived and it is one message, as nearly always, it is
    /// read in place.
    fn take_whole(
        &mut self,
        header: &Header,
        buffer: &mut BytesMut,
        limits: &Limits,
    ) -> Result<Option<Message>, DecodeError> {
        let end = header.size + header.length;
        let is_whole = header.is_final && header.opcode != CONTINUATION && buffer.len() >= end;
        if !is_whole || !self.payload.is_empty() {
            buffer.advance(header.size);
            self.frame = Some(Frame { left: header.length, mask: header.mask });
            if header.length == 0 {
                self.frame = None;
            }
            return Ok(None);
        }
        let payload = &mut buffer[header.size..end];
        if let Some(mask) = header.mask {
            apply_mask(payload, mask);
        }
        let line_end = memchr::memchr(b'\n', payload);
        let is_one_line = line_end.is_none_or(|line_end| line_end + 1 == payload.len());
        if !is_blank(payload) {
            match decode_line(payload, limits) {
                Ok(message) => {
                    buffer.advance(end);
                    return Ok(Some(message));
                }
                // It continues in the next message.
                Err(error) if line_end.is_none() && is_cut(&error, payload) => {}
                // The frame contains several lines.
                Err(_) if !is_one_line => {}
                Err(error) => return Err(error.shifted(header.size)),
            }
        }
        self.payload.extend_from_slice(payload);
        buffer.advance(end);
        Ok(None)
    }

    /// Takes the part of a frame that has arrived.
    fn take_some(&mut self, frame: Frame, buffer: &mut BytesMut) {
        let length = frame.left.min(buffer.len());
        let mask = frame.mask.map(|mut mask| {
            apply_mask(&mut buffer[..length], mask);
            mask.rotate_left(length % MASK);
            mask
        });
        self.payload.extend_from_slice(&buffer[..length]);
        buffer.advance(length);
        let left = frame.left - length;
        self.frame = (left > 0).then_some(Frame { left, mask });
    }

    /// Returns the next line of the payload, if it is complete.
    fn next_line(&mut self, limits: &Limits) -> Result<Option<Message>, DecodeError> {
        while !self.payload.is_empty() {
            let limit = limits.message_in_force();
            let line_end = memchr::memchr(b'\n', &self.payload[self.searched..]);
            let line_end = line_end.map(|found| self.searched + found);
            let size = line_end.unwrap_or(self.payload.len());
            if size > limit {
                return Err(DecodeError::TooLarge { limit, size });
            }
            let is_end_of_message = self.frame.is_none() && !self.is_fragmented;
            if line_end.is_none() && !is_end_of_message {
                self.searched = size;
                return Ok(None);
            }
            // The part that has been followed is not blank.
            let message = if self.line.is_none() && is_blank(&self.payload[..size]) {
                None
            } else if line_end.is_some() && is_end_of_message && size + 1 == self.payload.len() {
                Some(self.read_line(size, limits)?)
            } else if let Some(message) = self.read_if_complete(size, limits)? {
                Some(message)
            } else if line_end.is_some() {
                // Inside a WebSocket message, a value may span several lines.
                self.searched = size + 1;
                continue;
            } else {
                self.searched = size;
                return Ok(None);
            };
            self.end_line(line_end.map_or(size, |line_end| line_end + 1));
            if message.is_some() {
                return Ok(message);
            }
        }
        Ok(None)
    }

    fn read_line(&self, size: usize, limits: &Limits) -> Result<Message, DecodeError> {
        decode_line(&self.payload[..size], limits).map_err(|error| error.shifted(self.base))
    }

    /// Returns this many bytes of the payload as a message, if they are complete: the beginning of
    /// a line, at the end of a WebSocket message, or at a line end inside of one.
    ///
    /// # Errors
    /// If it can never become a message.
    fn read_if_complete(&mut self, size: usize, limits: &Limits) -> Result<Option<Message>, DecodeError> {
        if self.line.is_none() {
            match decode_line(&self.payload[..size], limits) {
                Err(error) if is_cut(&error, &self.payload[..size]) => {}
                read => return read.map(Some).map_err(|error| error.shifted(self.base)),
            }
        }
        // From now on only new bytes are checked; otherwise many small messages would cost as much
        // as the square of their number.
        let line = self.line.get_or_insert_with(|| {
            Box::new(Line { progress: Progress::new(limits.nesting_in_force()), followed: 0 })
        });
        let completeness = line.progress.follow(&self.payload[line.followed..size]);
        line.followed = size;
        match completeness {
            Completeness::Begun => Ok(None),
            Completeness::Complete => self.read_line(size, limits).map(Some),
            Completeness::Broken => {
                let reason = Malformed::UnexpectedCharacter;
                let unexpected = DecodeError::Malformed { reason, offset: self.base + size };
                Err(self.read_line(size, limits).err().unwrap_or(unexpected))
            }
        }
    }

    /// Removes the first bytes of the payload, up to the end of a line.
    fn end_line(&mut self, bytes: usize) {
        self.payload.advance(bytes);
        self.searched = 0;
        self.line = None;
        self.base = 0;
        if self.payload.is_empty() {
            self.payload = BytesMut::new();
        }
    }

    fn read_header(&self, buffer: &[u8], limits: &Limits) -> Result<Option<Header>, DecodeError> {
        let malformed = |reason| Err(DecodeError::Malformed { reason, offset: 0 });
        let &[first, second, ref rest @ ..] = buffer else {
            return Ok(None);
        };
        // Checked before the whole header has arrived: nothing that follows can mend it.
        let opcode = first & 0x0F;
        if first & RESERVED_BITS != 0 || !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG)
        {
            return malformed(Malformed::ReservedFrame);
        }
        // Clients must mask their frames, servers must not (RFC 6455 section 5.1).
        let is_masked = second & MASKED != 0;
        if is_masked != (self.role == Role::Server) {
            return malformed(Malformed::Masking);
        }
        // Only the shortest form of a length is allowed (RFC 6455 section 5.2).
        let (length, length_size) = match second & !MASKED {
            126 => match rest.first_chunk() {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(length) => (u64::from_be_bytes(*length), 8),
                None => return Ok(None),
            },
            short => (u64::from(short), 0),
        };
        if (length_size == 2 && length < 126) || (length_size == 8 && length <= 0xFFFF) {
            return malformed(Malformed::FrameLength);
        }
        // A control frame is whole and has at most 125 bytes (RFC 6455 section 5.5).
        let is_final = first & FINAL != 0;
        let is_control = opcode >= CLOSE;
        if is_control && (!is_final || length > CONTROL_LIMIT as u64) {
            return malformed(Malformed::ControlFrame);
        }
        if !is_control && self.is_fragmented != (opcode == CONTINUATION) {
            return malformed(Malformed::Fragment);
        }
        // A frame that announces too much is refused before any of it is buffered.
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !is_control {
            let limit = limits.message_in_force();
            if length > limit {
                return Err(DecodeError::TooLarge { limit, size: length });
            }
        }
        let mask = match rest.get(length_size..).and_then(|behind| behind.first_chunk()) {
            _ if !is_masked => None,
            Some(mask) => Some(*mask),
            None => return Ok(None),
        };
        let size = 2 + length_size + if is_masked { 4 } else { 0 };
        Ok(Some(Header { is_final, opcode, mask, size, length }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::{Control, FRAGMENT_LIMIT, Kind, encode, push_frame};
    use crate::wire::{Decoder, WireFormat};
    use bytes::Bytes;

    /// Returns everything that a server reads from `bytes`, and the error that ended it.
    fn read(bytes: &[u8]) -> (Vec<Decoded>, Option<DecodeError>) {
        read_with(&mut FrameReader::new(Role::Server), bytes)
    }

    fn read_with(reader: &mut FrameReader, bytes: &[u8]) -> (Vec<Decoded>, Option<DecodeError>) {
        let mut buffer = BytesMut::from(bytes);
        let mut found = Vec::new();
        loop {
            match reader.decode(&mut buffer, &Limits::default()) {
                Ok(Some(decoded)) => found.push(decoded),
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error)),
            }
        }
    }

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_frame(first, payload, Some([1, 2, 3, 4]), &mut out);
        out
    }

    fn messages(found: &[Decoded]) -> Vec<&str> {
        found
            .iter()
            .map(|decoded| match decoded {
                Decoded::Message(message) => message.as_str(),
                Decoded::Control(control) => panic!("{control:?}"),
            })
            .collect()
    }

    fn malformed(bytes: &[u8]) -> Malformed {
        match read(bytes).1 {
            Some(DecodeError::Malformed { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn long_messages_are_continued() {
        let message = Message::new(&"x".repeat(2 * FRAGMENT_LIMIT));
        for (kind, opcode) in [(Kind::Text, TEXT), (Kind::Binary, BINARY)] {
            let bytes = encode(&message, kind).unwrap();
            assert_eq!(bytes[0], opcode);
            let mut reader = FrameReader::new(Role::Client);
            let (found, error) = read_with(&mut reader, &bytes);
            assert_eq!((found, error), (vec![Decoded::Message(message.clone())], None));
            assert_eq!(reader.is_binary(), kind == Kind::Binary);
        }
    }

    #[test]
    fn one_or_more_lines_in_one_message() {
        let (found, error) = read(&frame(0x81, b"{\"a\":1}"));
        assert_eq!((messages(&found), error), (vec![r#"{"a":1}"#], None));
        let (found, error) = read(&frame(0x82, b" {\"a\":1}\r\n{\"b\":2}\n"));
        assert_eq!((messages(&found), error), (vec![r#"{"a":1}"#, r#"{"b":2}"#], None));
        let (found, error) = read(&frame(0x81, b"{\"a\":1}\n{\"b\":2}"));
        assert_eq!((messages(&found), error), (vec![r#"{"a":1}"#, r#"{"b":2}"#], None));
    }

    #[test]
    fn a_value_may_stand_on_several_lines_of_one_message() {
        let text = b"{\n  \"a\":\r\n\n  [1,\n2]\n}";
        for rest in ["", "\n", "\n\n", "\n{\"b\":2}", "\n{\n\"b\":\n2}\n"] {
            let bytes = frame(0x81, &[text, rest.as_bytes()].concat());
            // All at once, then byte by byte.
            for piece in [bytes.len(), 1] {
                let (mut reader, mut buffer) = (FrameReader::new(Role::Server), BytesMut::new());
                let mut found = Vec::new();
                for piece in bytes.chunks(piece) {
                    buffer.extend_from_slice(piece);
                    while let Some(decoded) = reader.decode(&mut buffer, &Limits::default()).unwrap() {
                        found.push(decoded);
                    }
                }
                let values: Vec<Message> =
                    messages(&found).iter().map(|text| text.parse().unwrap()).collect();
                assert_eq!(values.len(), if rest.contains('b') { 2 } else { 1 }, "{rest:?} by {piece}");
                assert!(reader.is_between_messages());
            }
        }
        // A line that ends with its message ends inside of it.
        assert_eq!(malformed(&frame(0x81, b"{\"a\":\n")), Malformed::UnexpectedEnd);
        assert_eq!(malformed(&frame(0x81, b"{\n\"a\":\n")), Malformed::UnexpectedEnd);
        assert_eq!(malformed(&frame(0x81, b"{\n\"a\n\":1}")), Malformed::ControlCharacter);
    }

    #[test]
    fn blank_lines_and_frames_are_nothing() {
        for blank in ["", "\n", " \r\n\t", "\n\n"] {
            let bytes =
                [frame(0x81, blank.as_bytes()), frame(0x82, format!("{blank}{{\"a\":1}}{blank}").as_bytes())]
                    .concat();
            let (found, error) = read(&bytes);
            assert_eq!((messages(&found), error), (vec![r#"{"a":1}"#], None), "{blank:?}");
            let bytes = [frame(0x01, blank.as_bytes()), frame(0x80, b""), frame(0x81, b"{}")].concat();
            let (found, error) = read(&bytes);
            assert_eq!((messages(&found), error), (vec!["{}"], None), "{blank:?}");
        }
    }

    #[test]
    fn a_line_may_go_on_in_later_messages() {
        let text = "\u{FEFF}{\"é\":[1.5e3,{\"b\":\"}\\\"\"}]}".as_bytes();
        let whole: Message = std::str::from_utf8(&text[3..]).unwrap().parse().unwrap();
        for end in ["", "\n", " \r\n"] {
            let line = [text, end.as_bytes()].concat();
            for cut in 0..=line.len() {
                let bytes =
                    [frame(0x82, &line[..cut]), frame(0x81, &line[cut..]), frame(0x82, b"{}\n")].concat();
                let mut reader = FrameReader::new(Role::Server);
                let (found, error) = read_with(&mut reader, &bytes);
                assert_eq!((messages(&found), error), (vec![whole.as_str(), "{}"], None), "{cut}");
                assert!(reader.is_between_messages());
            }
        }
    }

    #[test]
    fn a_value_may_be_cut_anywhere() {
        let digits = "9".repeat(5000);
        for value in [
            r#""\ud83d\ude00\u00e9\n""#,
            "-1.5E-30",
            &format!("{digits}.5e-4990"),
            &format!("{}e-300", &digits[..400]),
        ] {
            let line = format!("{{\"a\":{value}}}");
            let whole: Message = line.parse().unwrap();
            let cuts = (0..=line.len()).filter(|cut| {
                line.is_char_boundary(*cut) && (*cut < 20 || *cut > line.len() - 20 || cut % 100 == 0)
            });
            for cut in cuts {
                let (found, error) = read(
                    &[frame(0x81, &line.as_bytes()[..cut]), frame(0x81, &line.as_bytes()[cut..])].concat(),
                );
                assert_eq!((messages(&found), error), (vec![whole.as_str()], None), "{value:.40} at {cut}");
                // The same if the first one comes in two pieces.
                let bytes =
                    [frame(0x81, &line.as_bytes()[..cut]), frame(0x81, &line.as_bytes()[cut..])].concat();
                let mut reader = FrameReader::new(Role::Server);
                let mut buffer = BytesMut::from(&bytes[..7]);
                assert_eq!(reader.decode(&mut buffer, &Limits::default()), Ok(None));
                buffer.extend_from_slice(&bytes[7..]);
                let mut found = Vec::new();
                while let Some(decoded) = reader.decode(&mut buffer, &Limits::default()).unwrap() {
                    found.push(decoded);
                }
                assert_eq!(messages(&found), [whole.as_str()], "{value:.40} at {cut}");
            }
        }
    }

    #[test]
    fn text_that_cannot_become_a_message_is_malformed_at_once() {
        let refused = |pieces: &[&str]| {
            let frames: Vec<u8> = pieces.iter().flat_map(|piece| frame(0x81, piece.as_bytes())).collect();
            let (found, error) = read(&frames);
            assert_eq!(found, []);
            error.expect("it is refused")
        };
        let malformed = |reason, offset| DecodeError::Malformed { reason, offset };
        assert_eq!(refused(&["garbage"]), malformed(Malformed::UnexpectedCharacter, 6));
        assert_eq!(refused(&["{\"a\":", "garbage"]), malformed(Malformed::UnexpectedCharacter, 6 + 5));
        assert_eq!(refused(&["{\"a\"", ":1", "}}"]), malformed(Malformed::TrailingText, 6 + 7));
        assert_eq!(refused(&["{\"a\":1}{"]), malformed(Malformed::TrailingText, 6 + 7));
        // Only objects are messages, so the reader waits for nothing else.
        assert!(matches!(refused(&["1"]), DecodeError::NotAnObject { .. }));
        assert!(matches!(refused(&["[1]"]), DecodeError::NotAnObject { .. }));
        assert_eq!(refused(&["[1,"]), malformed(Malformed::UnexpectedEnd, 6 + 3));
        assert_eq!(refused(&["{\"a\n"]), malformed(Malformed::UnexpectedEnd, 6 + 3));
        assert_eq!(refused(&["{\n", "}"]), malformed(Malformed::UnexpectedEnd, 6 + 1));
        assert!(matches!(
            refused(&[&"{\"a\":".repeat(100), &"{\"a\":".repeat(100)]),
            DecodeError::TooDeep { .. }
        ));
    }

    #[test]
    fn a_line_of_many_messages_is_looked_at_once_and_has_a_limit() {
        let limits = Limits { message: 100_000, ..Limits::default() };
        let mut reader = FrameReader::new(Role::Server);
        let mut buffer =
            BytesMut::from(&frame(0x82, format!("{}{{\"a\":\"", " ".repeat(50_000)).as_bytes())[..]);
        assert_eq!(reader.decode(&mut buffer, &limits), Ok(None));
        let error = loop {
            buffer.extend_from_slice(&frame(0x82, b"x"));
            let at_most = reader.at_most(&buffer, &limits);
            assert!(reader.kept() < at_most && at_most <= 100_000 + HEADER_LIMIT + MASK);
            match reader.decode(&mut buffer, &limits) {
                Ok(None) => assert_eq!(reader.line.as_ref().map(|line| line.followed), Some(reader.kept())),
                Ok(Some(decoded)) => panic!("{decoded:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(error, DecodeError::TooLarge { limit: 100_000, size: 100_001 });
    }

    #[test]
    fn fragments_with_a_ping_between() {
        let bytes =
            [frame(TEXT, b"{\"a\""), frame(0x89, b"?"), frame(0x00, b":1"), frame(0x80, b"}\n{\"b\":2}\n")]
                .concat();
        let (found, error) = read(&bytes);
        assert_eq!(error, None);
        assert_eq!(found[0], Decoded::Control(Control::Ping(Bytes::from_static(b"?"))));
        assert_eq!(messages(&found[1..]), [r#"{"a":1}"#, r#"{"b":2}"#]);
    }

    #[test]
    fn broken_frames_are_refused() {
        assert_eq!(malformed(&frame(0xC1, b"{}")), Malformed::ReservedFrame);
        assert_eq!(malformed(&frame(0x83, b"{}")), Malformed::ReservedFrame);
        assert_eq!(malformed(b"\x81\x02{}"), Malformed::Masking);
        assert_eq!(malformed(&frame(0x80, b"{}")), Malformed::Fragment);
        assert_eq!(malformed(&[frame(0x01, b"{"), frame(0x81, b"}")].concat()), Malformed::Fragment);
        assert_eq!(malformed(&frame(0x09, b"")), Malformed::ControlFrame);
        assert_eq!(malformed(&frame(0x89, &[0; 126])), Malformed::ControlFrame);
        assert_eq!(malformed(&frame(0x88, b"x")), Malformed::ControlFrame);
        assert_eq!(malformed(&frame(0x88, b"\x03\xE8\xFF")), Malformed::Utf8);
        assert_eq!(malformed(b"\x81\xFE\x00\x05"), Malformed::FrameLength);
        assert_eq!(malformed(b"\x81\xFF\0\0\0\0\0\0\xFF\xFF"), Malformed::FrameLength);
        for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert_eq!(malformed(&frame(0x88, &u16::to_be_bytes(code))), Malformed::ControlFrame, "{code}");
        }
    }

    #[test]
    fn errors_count_the_head_of_the_frame_in() {
        let reason = Malformed::UnexpectedCharacter;
        assert_eq!(
            read(&frame(0x81, b"{\"a\":x}")).1,
            Some(DecodeError::Malformed { reason, offset: 6 + 5 })
        );
    }

    #[test]
    fn fragments_are_consumed_together() {
        let mut decoder = Decoder::new(WireFormat::WebSocket, Limits::default());
        let mut buffer = BytesMut::from(&[frame(0x81, b"{}"), frame(TEXT, b"{\"a\"")].concat()[..]);
        assert!(matches!(decoder.decode(&mut buffer), Ok(Some(_))));
        assert_eq!((decoder.decode(&mut buffer), decoder.consumed()), (Ok(None), 8));
        buffer.extend_from_slice(&frame(0x80, b":1}"));
        assert!(matches!(decoder.decode(&mut buffer), Ok(Some(_))));
        assert_eq!(decoder.consumed(), 8 + 10 + 9);
    }

    #[test]
    fn the_length_is_checked_before_the_payload_is_there() {
        let too_large = |size| DecodeError::TooLarge { limit: 10 * 1024 * 1024, size };
        assert_eq!(read(b"\x81\xFF\0\0\0\0\0\xA0\0\x01").1, Some(too_large(10 * 1024 * 1024 + 1)));
        assert_eq!(read(b"\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF").1, Some(too_large(usize::MAX)));
        let continued = [frame(0x01, &[b' '; 1000]), b"\x80\xFF\0\0\0\0\0\xA0\0\x01".to_vec()].concat();
        assert_eq!(read(&continued).1, Some(too_large(10 * 1024 * 1024 + 1)));
        let continued = [frame(0x01, &[b'{'; 1]), frame(0x80, &vec![b' '; 10 * 1024 * 1024])].concat();
        assert_eq!(read(&continued).1, Some(too_large(10 * 1024 * 1024 + 1)));
    }
}
