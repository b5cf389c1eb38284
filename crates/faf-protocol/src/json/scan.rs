//! Checks JSON text from a peer and brings it into compact form.
//!
//! Compact form: no white space between tokens, strings with as few escapes as JSON allows, every
//! object without repeated keys (first place, last value). Numbers keep their digits. Text that
//! already has this form, as nearly all traffic has, is only checked and not copied. All other text
//! is written once: in the same pass, or in a second one if an object repeats a key or has very
//! many.

use crate::error::{DecodeError, JsonKind, Malformed};
use crate::limits::INTEGER_DIGITS_LIMIT;

use super::block::{Block, LONG};
use super::compact;
use super::escape::{is_escaped, push_escaped};
use super::repeated::{Edit, Edits, OpenObject, RepeatedKeys};

/// Checks that `text` is one JSON object and nothing else, and returns its compact form if that
/// is different.
///
/// `text` should have no white space around it; if it has, this counts as a difference from
/// compact form.
///
/// # Errors
/// [`DecodeError::Malformed`], [`DecodeError::TooDeep`] and [`DecodeError::NotAnObject`]; offsets
/// count bytes of `text`.
pub(crate) fn scan_object(text: &str, nesting_limit: usize) -> Result<Option<String>, DecodeError> {
    let mut scanner = Scanner::new(text, nesting_limit);
    match scanner.scan()? {
        JsonKind::Object => Ok(scanner.finish()),
        found => Err(DecodeError::NotAnObject { found }),
    }
}

/// Checks that `text` is one JSON value and nothing else, and returns its compact form if that
/// is different.
///
/// # Errors
/// As [`scan_object`], without [`DecodeError::NotAnObject`].
pub(crate) fn scan_value(text: &str, nesting_limit: usize) -> Result<Option<String>, DecodeError> {
    let mut scanner = Scanner::new(text, nesting_limit);
    scanner.scan()?;
    Ok(scanner.finish())
}

/// Position at which scanning stopped; the scanner keeps the reason. Small enough to be returned in
/// a register.
struct Stopped(usize);

/// The reason why scanning stopped.
#[derive(Clone, Copy)]
enum Fault {
    Malformed(Malformed),
    TooDeep,
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// Position up to which the source is in `rewritten`; zero while nothing had to be changed.
    copied: usize,
    rewritten: String,
    /// Whether `rewritten` stays empty because the text is written in a second pass.
    is_deferred: bool,
    keys: RepeatedKeys,
    /// In the second pass, the members that are dropped or moved.
    edits: Option<Edits>,
    nesting_limit: usize,
    fault: Option<Fault>,
}

// Every method that scans something takes the position where it begins and returns the position
// after it.
impl<'a> Scanner<'a> {
    fn new(text: &'a str, nesting_limit: usize) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            copied: 0,
            rewritten: String::new(),
            is_deferred: false,
            keys: RepeatedKeys::default(),
            edits: None,
            nesting_limit,
            fault: None,
        }
    }

    fn scan(&mut self) -> Result<JsonKind, DecodeError> {
        self.text_of_one_value().map_err(|Stopped(offset)| match self.fault {
            Some(Fault::Malformed(reason)) => DecodeError::Malformed { reason, offset },
            Some(Fault::TooDeep) | None => DecodeError::TooDeep { limit: self.nesting_limit, offset },
        })
    }

    fn text_of_one_value(&mut self) -> Result<JsonKind, Stopped> {
        let mut position = 0;
        let first = self.token(&mut position);
        position = self.value(first, position, 0)?;
        if self.token(&mut position).is_some() {
            return Err(self.fault(Malformed::TrailingText, position));
        }
        Ok(JsonKind::of_first_byte(first.as_ref()))
    }

    /// Returns the compact text, if it differs from the source.
    fn finish(mut self) -> Option<String> {
        let edits = std::mem::take(&mut self.keys).into_edits();
        if edits.is_empty() && self.copied == 0 {
            return None;
        }
        if !edits.is_empty() || self.is_deferred {
            let mut second = Self::new(self.text, self.nesting_limit);
            second.edits = Some(edits);
            // The first pass has just found the text valid.
            second.text_of_one_value().ok()?;
            self = second;
        }
        self.copy_until(self.bytes.len());
        Some(self.rewritten)
    }

    /// Scans a value; `first` is the byte at `at`.
    fn value(&mut self, first: Option<u8>, at: usize, depth: usize) -> Result<usize, Stopped> {
        match first {
            Some(b'"') => self.string(at),
            Some(b'{') => self.object(at, depth + 1),
            Some(b'[') => self.array(at, depth + 1),
            Some(b'-' | b'0'..=b'9') => self.number(at),
            Some(b't') => self.literal(at, b"true"),
            Some(b'f') => self.literal(at, b"false"),
            Some(b'n') => self.literal(at, b"null"),
            Some(_) if is_not_finite(&self.bytes[at..]) => Err(self.fault(Malformed::NonFinite, at)),
            _ => Err(self.unexpected(first, at)),
        }
    }

    fn object(&mut self, at: usize, depth: usize) -> Result<usize, Stopped> {
        self.check_depth(at, depth)?;
        let mut position = at + 1;
        let mut found = self.token(&mut position);
        if found == Some(b'}') {
            return Ok(position + 1);
        }
        let mut open = self.keys.open_object();
        loop {
            // A member is dropped if a later one repeats its key: copying goes on behind it.
            let edit = self.edits.as_mut().and_then(|edits| edits.at(position));
            if let Some(Edit::Drop { end }) = edit {
                self.copy_until(position);
                (position, self.copied) = (end, end);
                found = self.bytes.get(position).copied();
                if found != Some(b'}') {
                    continue;
                }
                // The comma before the dropped members is dropped, too.
                if self.rewritten.ends_with(',') {
                    self.rewritten.pop();
                }
                return Ok(position + 1);
            }
            if found != Some(b'"') {
                return Err(self.unexpected(found, position));
            }
            let key = position;
            position = self.string(position)?;
            self.note_key(&mut open, key, position);
            found = self.token(&mut position);
            if found != Some(b':') {
                return Err(self.unexpected(found, position));
            }
            position += 1;
            found = self.token(&mut position);
            // Of a repeated key, the first place gets the last value.
            position = match edit {
                Some(Edit::Move { from }) => self.moved_value(position, from, depth)?,
                _ => self.value(found, position, depth)?,
            };
            found = self.token(&mut position);
            position += 1;
            match found {
                Some(b',') => found = self.token(&mut position),
                Some(b'}') => break,
                _ => return Err(self.unexpected(found, position - 1)),
            }
        }
        self.keys.close_object(self.text, &open, position - 1);
        self.defer_if_costly();
        Ok(position)
    }

    /// Notes the key from `start` to `end`, quotes included, unless the first pass has noted it.
    #[inline]
    fn note_key(&mut self, open: &mut OpenObject, start: usize, end: usize) {
        if self.edits.is_none() {
            self.keys.note(self.text, open, start..end);
            self.defer_if_costly();
        }
    }

    /// Notes about keys may take as much memory as the text, and the compact text as much again.
    #[inline]
    fn defer_if_costly(&mut self) {
        if !self.is_deferred && self.keys.are_costly() {
            self.is_deferred = true;
            self.rewritten = String::new();
        }
    }

    /// Writes the value of the member at `from` in place of the one at `at`.
    fn moved_value(&mut self, at: usize, from: usize, depth: usize) -> Result<usize, Stopped> {
        self.copy_until(at);
        let value = compact::value_of_member(self.bytes, from);
        self.copied = value;
        let end = self.value(self.bytes.get(value).copied(), value, depth)?;
        self.copy_until(end);
        self.copied = compact::end_of_value(self.bytes, at);
        Ok(self.copied)
    }

    fn array(&mut self, at: usize, depth: usize) -> Result<usize, Stopped> {
        self.check_depth(at, depth)?;
        let mut position = at + 1;
        let mut found = self.token(&mut position);
        if found == Some(b']') {
            return Ok(position + 1);
        }
        loop {
            position = self.value(found, position, depth)?;
            found = self.token(&mut position);
            position += 1;
            match found {
                Some(b',') => found = self.token(&mut position),
                Some(b']') => return Ok(position),
                _ => return Err(self.unexpected(found, position - 1)),
            }
        }
    }

    /// Scans a string.
    fn string(&mut self, at: usize) -> Result<usize, Stopped> {
        if let Some(first) = self.bytes.get(at + 1..).and_then(<[u8]>::first_chunk) {
            let block = Block::short(*first);
            let up_to_quote = block.quotes ^ block.quotes.wrapping_sub(1);
            if block.quotes != 0 && (block.backslashes | block.controls) & up_to_quote == 0 {
                return Ok(at + 2 + block.quotes.trailing_zeros() as usize);
            }
        }
        self.long_string(at)
    }

    /// Scans a string of any length and with any content, thirty-two bytes at a time.
    fn long_string(&mut self, at: usize) -> Result<usize, Stopped> {
        let mut position = at + 1;
        // Whether the next byte is escaped by a backslash before it.
        let mut escaped = false;
        while let Some(bytes) = self.bytes.get(position..).and_then(<[u8]>::first_chunk) {
            let block = Block::long(*bytes);
            let escapes = block.escapes(&mut escaped);
            let end = block.quotes & !escapes;
            let other = block.controls | (escapes & !(block.quotes | block.backslashes));
            if end | other == 0 {
                position += LONG;
                continue;
            }
            let next = (end | other).trailing_zeros();
            position += next as usize;
            if other & (1 << next) == 0 {
                return Ok(position + 1);
            }
            if escapes & (1 << next) != 0 {
                position -= 1;
            }
            position = self.special(position)?;
            escaped = false;
        }
        if escaped {
            position -= 1;
        }
        loop {
            match self.bytes.get(position) {
                Some(b'"') => return Ok(position + 1),
                Some(b'\\' | 0..b' ') => position = self.special(position)?,
                Some(_) => position += 1,
                None => return Err(self.fault(Malformed::UnexpectedEnd, position)),
            }
        }
    }

    /// Scans an escape sequence, and stops at a control character.
    fn special(&mut self, at: usize) -> Result<usize, Stopped> {
        if self.bytes[at] != b'\\' {
            return Err(self.fault(Malformed::ControlCharacter, at));
        }
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'/') => Ok(self.replace(at, 2, '/')),
            Some(b'u') => self.unicode_escape(at),
            Some(_) => Err(self.fault(Malformed::Escape, at)),
            None => Err(self.fault(Malformed::UnexpectedEnd, at + 1)),
        }
    }

    fn unicode_escape(&mut self, at: usize) -> Result<usize, Stopped> {
        let unit = self.hex_digits(at)?;
        if let Some(character) = char::from_u32(unit.into()) {
            return Ok(self.replace(at, 6, character));
        }
        // No character, so it must be the first half of a surrogate pair. If the text ends where
        // the second half could follow, more text may make it valid.
        let is_high = (0xD800..0xDC00).contains(&unit);
        let rest = &self.bytes[at + 6..];
        if is_high && rest.len() < 2 && b"\\u".starts_with(rest) {
            return Err(self.fault(Malformed::UnexpectedEnd, self.bytes.len()));
        }
        if !is_high || !rest.starts_with(b"\\u") {
            return Err(self.fault(Malformed::LoneSurrogate, at));
        }
        let partner = self.hex_digits(at + 6)?;
        match char::decode_utf16([unit, partner]).next() {
            Some(Ok(character)) => Ok(self.replace(at, 12, character)),
            _ => Err(self.fault(Malformed::LoneSurrogate, at)),
        }
    }

    /// Returns the UTF-16 unit of the escape sequence at `at`.
    fn hex_digits(&mut self, at: usize) -> Result<u16, Stopped> {
        let mut unit = 0;
        for position in at + 2..at + 6 {
            let Some(&byte) = self.bytes.get(position) else {
                return Err(self.fault(Malformed::UnexpectedEnd, position));
            };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(self.fault(Malformed::Escape, at));
            };
            unit = unit << 4 | digit as u16;
        }
        Ok(unit)
    }

    /// Writes `character`, escaped if necessary, in place of `length` bytes.
    fn replace(&mut self, at: usize, length: usize, character: char) -> usize {
        self.copy_until(at);
        self.copied = at + length;
        if self.is_deferred {
            return self.copied;
        }
        match u8::try_from(character) {
            Ok(byte) if is_escaped(byte) => push_escaped(byte, &mut self.rewritten),
            _ => self.rewritten.push(character),
        }
        self.copied
    }

    fn number(&mut self, at: usize) -> Result<usize, Stopped> {
        let mut position = at;
        if self.bytes[at] == b'-' {
            position += 1;
            if is_not_finite(&self.bytes[position..]) {
                return Err(self.fault(Malformed::NonFinite, at));
            }
        }
        // JSON has no leading zeros.
        let integer = position;
        position = self.digits(position)?;
        let integer_digits = position - integer;
        if self.bytes[integer] == b'0' && integer_digits > 1 {
            return Err(self.fault(Malformed::Number, at));
        }
        // Python clients refuse longer integers.
        if !matches!(self.bytes.get(position), Some(b'.' | b'e' | b'E')) {
            return match integer_digits {
                0..=INTEGER_DIGITS_LIMIT => Ok(position),
                _ => Err(self.fault(Malformed::IntegerDigits, at)),
            };
        }
        if self.bytes[position] == b'.' {
            position = self.digits(position + 1)?;
        }
        let has_exponent = matches!(self.bytes.get(position), Some(b'e' | b'E'));
        if has_exponent {
            position += 1;
            if let Some(b'+' | b'-') = self.bytes.get(position) {
                position += 1;
            }
            position = self.digits(position)?;
        }
        // Only such numbers can be beyond the range of a float; all others need not be converted.
        if has_exponent || integer_digits > f64::MAX_10_EXP as usize {
            let value: Result<f64, _> = self.text[at..position].parse();
            if !value.is_ok_and(f64::is_finite) {
                return Err(self.fault(Malformed::NonFinite, at));
            }
        }
        Ok(position)
    }

    /// Scans at least one digit.
    fn digits(&mut self, at: usize) -> Result<usize, Stopped> {
        let count = self.bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        match count {
            0 if at == self.bytes.len() => Err(self.fault(Malformed::UnexpectedEnd, at)),
            0 => Err(self.fault(Malformed::Number, at)),
            _ => Ok(at + count),
        }
    }

    fn literal(&mut self, at: usize, word: &[u8]) -> Result<usize, Stopped> {
        let rest = &self.bytes[at..];
        if rest.starts_with(word) {
            Ok(at + word.len())
        } else if word.starts_with(rest) {
            Err(self.fault(Malformed::UnexpectedEnd, self.bytes.len()))
        } else {
            Err(self.fault(Malformed::UnexpectedCharacter, at))
        }
    }

    /// Returns the byte at `position`, after any white space, which is left out of the
    /// compact text.
    #[inline]
    fn token(&mut self, position: &mut usize) -> Option<u8> {
        match self.bytes.get(*position) {
            Some(&byte) if byte > b' ' => Some(byte),
            Some(b' ' | b'\t' | b'\n' | b'\r') => self.token_after_white_space(position),
            other => other.copied(),
        }
    }

    #[cold]
    fn token_after_white_space(&mut self, position: &mut usize) -> Option<u8> {
        self.copy_until(*position);
        let is_white_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        *position += self.bytes[*position..].iter().take_while(is_white_space).count();
        self.copied = *position;
        self.bytes.get(*position).copied()
    }

    fn copy_until(&mut self, position: usize) {
        if !self.is_deferred {
            if self.rewritten.capacity() == 0 {
                self.rewritten.reserve_exact(self.text.len());
            }
            self.rewritten.push_str(&self.text[self.copied..position]);
        }
        self.copied = position;
    }

    fn check_depth(&mut self, at: usize, depth: usize) -> Result<(), Stopped> {
        if depth > self.nesting_limit {
            self.fault = Some(Fault::TooDeep);
            return Err(Stopped(at));
        }
        Ok(())
    }

    #[cold]
    fn fault(&mut self, reason: Malformed, at: usize) -> Stopped {
        self.fault = Some(Fault::Malformed(reason));
        Stopped(at)
    }

    #[cold]
    fn unexpected(&mut self, found: Option<u8>, at: usize) -> Stopped {
        match found {
            Some(_) => self.fault(Malformed::UnexpectedCharacter, at),
            None => self.fault(Malformed::UnexpectedEnd, at),
        }
    }
}

/// Returns whether one of the words for non-finite numbers comes next, which are not JSON.
fn is_not_finite(rest: &[u8]) -> bool {
    rest.starts_with(b"NaN") || rest.starts_with(b"Infinity")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(text: &str) -> String {
        scan_value(text, 128).unwrap().unwrap_or_else(|| text.to_owned())
    }

    fn error(text: &str) -> DecodeError {
        scan_value(text, 128).unwrap_err()
    }

    #[test]
    fn compact_text_is_not_copied() {
        let text = r#"{"a":[1,-2.5e-3,true,false,null,"x\"\\\n"],"b":{},"c":[]}"#;
        assert_eq!(scan_value(text, 128), Ok(None));
    }

    #[test]
    fn white_space_and_needless_escapes_go() {
        assert_eq!(compact(" { \"a\" :\t[ 1 ,\r\n2 ] , \"b\":{ } } "), r#"{"a":[1,2],"b":{}}"#);
        assert_eq!(
            compact(r#""\/\u0041\u00e9\u000a\u0000\u0022\u005c\uD83D\uDE00""#),
            r#""/Aé\n\u0000\"\\😀""#
        );
    }

    #[test]
    fn the_last_of_repeated_keys_wins_in_the_first_place() {
        assert_eq!(compact(r#"{"a":1,"b":2,"a":3}"#), r#"{"a":3,"b":2}"#);
        assert_eq!(compact(r#"{"\u0061":1,"a":[{"x":1, "x":2}],"z":0}"#), r#"{"a":[{"x":2}],"z":0}"#);
        assert_eq!(compact(r#"[{"k":{"k":1,"k":2},"k":{"k":3,"k":4}},5]"#), r#"[{"k":{"k":4}},5]"#);
    }

    #[test]
    fn many_members_with_one_repeated() {
        let mut members: Vec<String> = (0..1000).map(|n| format!("\"key{n}\":{n}")).collect();
        members.push("\"key500\":\"new\"".to_owned());
        let scanned = compact(&format!("{{{}}}", members.join(",")));
        members.pop();
        members[500] = "\"key500\":\"new\"".to_owned();
        assert_eq!(scanned, format!("{{{}}}", members.join(",")));
    }

    #[test]
    fn very_many_members_repeat_keys_in_every_way() {
        // Each key three times: again after a few others, so that dropped members have others
        // between them, and once more at the end.
        let member = |key: usize, value: usize| format!(" \"k{key}\" : {value}");
        let mut source: Vec<String> =
            (0..5000).flat_map(|n| [member(n, 1), member(n.saturating_sub(1), 2)]).collect();
        source.extend((0..5000).map(|n| member(n, 3)));
        source.extend(["\"k7\":7".to_owned(), "\"k7\":8".to_owned()]);
        let expected: Vec<String> =
            (0..5000).map(|n| format!("\"k{n}\":{}", if n == 7 { 8 } else { 3 })).collect();
        assert_eq!(compact(&format!("{{{}}}", source.join(","))), format!("{{{}}}", expected.join(",")));
    }

    #[test]
    fn errors_have_a_kind_and_an_offset() {
        let malformed = |text: &str| match error(text) {
            DecodeError::Malformed { reason, offset } => (reason, offset),
            other => panic!("{other:?}"),
        };
        assert_eq!(malformed(""), (Malformed::UnexpectedEnd, 0));
        assert_eq!(malformed(r#"{"a":1"#), (Malformed::UnexpectedEnd, 6));
        assert_eq!(malformed("tru"), (Malformed::UnexpectedEnd, 3));
        assert_eq!(malformed("-"), (Malformed::UnexpectedEnd, 1));
        assert_eq!(malformed(r#""\"#), (Malformed::UnexpectedEnd, 2));
        assert_eq!(malformed(r#""\u00"#), (Malformed::UnexpectedEnd, 5));
        assert_eq!(malformed(r#"{"a":}"#), (Malformed::UnexpectedCharacter, 5));
        assert_eq!(malformed(r#"{"a":1,}"#), (Malformed::UnexpectedCharacter, 7));
        assert_eq!(malformed(r#"{"a":1} x"#), (Malformed::TrailingText, 8));
        assert_eq!(malformed("\"a\n\""), (Malformed::ControlCharacter, 2));
        assert_eq!(malformed(r#""\x""#), (Malformed::Escape, 1));
        assert_eq!(malformed(r#""\u12g4""#), (Malformed::Escape, 1));
        assert_eq!(malformed(r#""\ud800""#), (Malformed::LoneSurrogate, 1));
        assert_eq!(malformed(r#""\ud800"#), (Malformed::UnexpectedEnd, 7));
        assert_eq!(malformed(r#""\ud800\"#), (Malformed::UnexpectedEnd, 8));
        assert_eq!(malformed(r#""\udc00\ud800""#), (Malformed::LoneSurrogate, 1));
        assert_eq!(malformed(r#""\ud800\u0041""#), (Malformed::LoneSurrogate, 1));
        assert_eq!(malformed("01"), (Malformed::Number, 0));
        assert_eq!(malformed("1.]"), (Malformed::Number, 2));
        assert_eq!(malformed("NaN"), (Malformed::NonFinite, 0));
        assert_eq!(malformed("[-Infinity]"), (Malformed::NonFinite, 1));
        assert_eq!(malformed("1e400"), (Malformed::NonFinite, 0));
        assert_eq!(malformed(&format!("{}.5", "9".repeat(400))), (Malformed::NonFinite, 0));
        assert_eq!(malformed(&"9".repeat(4301)), (Malformed::IntegerDigits, 0));
    }

    #[test]
    fn nesting_is_limited() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(scan_value(&nested(128), 128), Ok(None));
        assert_eq!(error(&nested(129)), DecodeError::TooDeep { limit: 128, offset: 128 });
        assert_eq!(error(&"[".repeat(100_000)), DecodeError::TooDeep { limit: 128, offset: 128 });
    }

    #[test]
    fn special_characters_are_found_at_every_place() {
        let filler = "é~\u{7f} !#[]ÿ".repeat(4);
        for at in (0..=filler.len()).filter(|at| filler.is_char_boundary(*at)) {
            let with = |special: &str| format!("\"{}{special}{}\"", &filler[..at], &filler[at..]);
            for kept in [r"\n", r#"\""#, r"\\", r"\\\\"] {
                assert_eq!(compact(&with(kept)), with(kept));
            }
            assert_eq!(compact(&with(r"\/\u0041")), with("/A"));
            assert!(scan_value(&with("\""), 128).is_err());
            for control in ["\0", "\x1F", "\n"] {
                let malformed =
                    DecodeError::Malformed { reason: Malformed::ControlCharacter, offset: at + 1 };
                assert_eq!(error(&with(control)), malformed);
            }
            assert_eq!(
                error(&with(r"\")[..at + 2]),
                DecodeError::Malformed { reason: Malformed::UnexpectedEnd, offset: at + 2 }
            );
        }
    }
}
