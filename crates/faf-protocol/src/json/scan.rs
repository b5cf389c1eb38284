//! Checks JSON text from a peer and brings it into compact form, in one pass.
//!
//! Compact form: no white space between tokens, strings with as few escapes as JSON allows, every object without
//! repeated keys (first place, last value). Numbers keep their digits. Text that already has this form, as nearly all
//! traffic has, is only looked at and not copied.

use crate::error::{DecodeError, JsonKind, Malformed};
use crate::limits::INTEGER_DIGITS_LIMIT;

/// Where a member of the outermost object stands in the compact text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// The key, without its quotes.
    pub(crate) key: Span,
    /// The value.
    pub(crate) value: Span,
}

/// A range of bytes in a compact text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The text of this range.
    pub(crate) fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }

    fn len(self) -> u32 {
        self.end - self.start
    }

    pub(crate) fn contains(self, position: usize) -> bool {
        (self.start as usize..self.end as usize).contains(&position)
    }
}

/// A JSON object in compact form.
pub(crate) struct Scanned {
    /// The compact text, where it differs from the source.
    pub(crate) rewritten: Option<String>,
    /// Members of the outermost object, each key once, in order of first appearance.
    pub(crate) members: Vec<Member>,
}

/// Checks that `text` is one JSON object and nothing else.
///
/// `text` should have no white space around it; where it has, it counts as a difference from compact form.
///
/// # Errors
/// [`DecodeError::Malformed`], [`DecodeError::TooDeep`] and [`DecodeError::NotAnObject`]; offsets count bytes of `text`.
pub(crate) fn scan_object(text: &str, nesting_limit: usize) -> Result<Scanned, DecodeError> {
    let mut scanner = Scanner::new(text, nesting_limit);
    match scanner.scan()? {
        JsonKind::Object => Ok(scanner.finish()),
        found => Err(DecodeError::NotAnObject { found }),
    }
}

/// Checks that `text` is one JSON value and nothing else, and gives its compact form where that differs.
///
/// # Errors
/// As [`scan_object`], without [`DecodeError::NotAnObject`].
pub(crate) fn scan_value(text: &str, nesting_limit: usize) -> Result<Option<String>, DecodeError> {
    let mut scanner = Scanner::new(text, nesting_limit);
    scanner.scan()?;
    Ok(scanner.finish().rewritten)
}

/// Whether two members have the same key.
pub(crate) fn has_repeated<'t, T>(members: &[T], key: impl Fn(&T) -> &'t str) -> bool {
    /// Up to this many members every pair is compared, which is faster than sorting; beyond it, a hostile message
    /// could make that quadratic.
    const PAIRWISE: usize = 24;

    if members.len() <= PAIRWISE {
        members.iter().enumerate().any(|(index, member)| {
            let this = key(member);
            members[..index].iter().any(|earlier| key(earlier) == this)
        })
    } else {
        let mut keys: Vec<&str> = members.iter().map(key).collect();
        keys.sort_unstable();
        keys.windows(2).any(|pair| pair[0] == pair[1])
    }
}

/// Of members with equal keys, keeps the last value in the place of the first.
pub(crate) fn keep_last<'t, T: Copy>(members: &mut Vec<T>, key: impl Fn(&T) -> &'t str) {
    let mut by_key: Vec<(usize, T)> = members.iter().copied().enumerate().collect();
    by_key.sort_by(|(_, a), (_, b)| key(a).cmp(key(b)));
    let mut kept: Vec<(usize, T)> = by_key
        .chunk_by(|(_, a), (_, b)| key(a) == key(b))
        .map(|same| (same[0].0, same[same.len() - 1].1))
        .collect();
    kept.sort_by_key(|(place, _)| *place);
    members.clear();
    members.extend(kept.into_iter().map(|(_, member)| member));
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// Next byte to look at.
    position: usize,
    /// Up to here the source is in `rewritten`; zero while nothing had to be changed.
    copied: usize,
    rewritten: String,
    /// Members of the objects that are open; those of the innermost come last.
    members: Vec<Member>,
    nesting_limit: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str, nesting_limit: usize) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            position: 0,
            copied: 0,
            rewritten: String::new(),
            members: Vec::new(),
            nesting_limit,
        }
    }

    fn scan(&mut self) -> Result<JsonKind, DecodeError> {
        self.skip_white_space();
        let kind = self.value(0)?;
        self.skip_white_space();
        if self.position < self.bytes.len() {
            return Err(self.malformed(Malformed::TrailingText));
        }
        Ok(kind)
    }

    fn finish(mut self) -> Scanned {
        if self.copied == 0 {
            return Scanned {
                rewritten: None,
                members: self.members,
            };
        }
        self.copy_pending();
        Scanned {
            rewritten: Some(self.rewritten),
            members: self.members,
        }
    }

    fn value(&mut self, depth: usize) -> Result<JsonKind, DecodeError> {
        match self.peek() {
            Some(b'"') => self.string().map(|()| JsonKind::String),
            Some(b'{') => self.object(depth + 1).map(|()| JsonKind::Object),
            Some(b'[') => self.array(depth + 1).map(|()| JsonKind::Array),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| JsonKind::Number),
            Some(b't') => self.literal("true").map(|()| JsonKind::Boolean),
            Some(b'f') => self.literal("false").map(|()| JsonKind::Boolean),
            Some(b'n') => self.literal("null").map(|()| JsonKind::Null),
            Some(b'N') if self.text[self.position..].starts_with("NaN") => {
                Err(self.malformed(Malformed::NonFinite))
            }
            Some(b'I') if self.text[self.position..].starts_with("Infinity") => {
                Err(self.malformed(Malformed::NonFinite))
            }
            Some(_) => Err(self.malformed(Malformed::UnexpectedCharacter)),
            None => Err(self.malformed(Malformed::UnexpectedEnd)),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), DecodeError> {
        self.check_depth(depth)?;
        let first_member = self.members.len();
        let start = self.compact_position();
        self.position += 1;
        self.skip_white_space();
        if self.peek() == Some(b'}') {
            self.position += 1;
            return Ok(());
        }
        loop {
            let key_start = self.compact_position() + 1;
            match self.peek() {
                Some(b'"') => self.string()?,
                Some(_) => return Err(self.malformed(Malformed::UnexpectedCharacter)),
                None => return Err(self.malformed(Malformed::UnexpectedEnd)),
            }
            let key_end = self.compact_position() - 1;
            self.skip_white_space();
            self.expect(b':')?;
            self.skip_white_space();
            let value_start = self.compact_position();
            self.value(depth)?;
            let value_end = self.compact_position();
            self.members.push(Member {
                key: Span::new(key_start, key_end),
                value: Span::new(value_start, value_end),
            });
            self.skip_white_space();
            match self.peek() {
                Some(b',') => {
                    self.position += 1;
                    self.skip_white_space();
                }
                Some(b'}') => {
                    self.position += 1;
                    break;
                }
                Some(_) => return Err(self.malformed(Malformed::UnexpectedCharacter)),
                None => return Err(self.malformed(Malformed::UnexpectedEnd)),
            }
        }
        self.remove_repeated(first_member, start);
        if depth > 1 {
            self.members.truncate(first_member);
        }
        Ok(())
    }

    /// Rewrites the object that has just ended, if it repeats a key.
    fn remove_repeated(&mut self, first_member: usize, start: u32) {
        if self.copied > 0 {
            self.copy_pending();
        }
        let compact: &str = if self.copied > 0 {
            &self.rewritten
        } else {
            self.text
        };
        if !has_repeated(&self.members[first_member..], |member| member.key.of(compact)) {
            return;
        }
        let mut members = self.members.split_off(first_member);
        keep_last(&mut members, |member| member.key.of(compact));
        let mut object = String::from("{");
        for (index, member) in members.iter_mut().enumerate() {
            if index > 0 {
                object.push(',');
            }
            let base = start + object.len() as u32;
            let (key, value) = (member.key.of(compact), member.value.of(compact));
            object.extend(["\"", key, "\":", value]);
            let key_start = base + 1;
            let value_start = key_start + member.key.len() + 2;
            *member = Member {
                key: Span::new(key_start, key_start + member.key.len()),
                value: Span::new(value_start, value_start + member.value.len()),
            };
        }
        object.push('}');
        if self.copied == 0 {
            self.copy_pending();
        }
        self.rewritten.truncate(start as usize);
        self.rewritten.push_str(&object);
        self.members.append(&mut members);
    }

    fn array(&mut self, depth: usize) -> Result<(), DecodeError> {
        self.check_depth(depth)?;
        self.position += 1;
        self.skip_white_space();
        if self.peek() == Some(b']') {
            self.position += 1;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            self.skip_white_space();
            match self.peek() {
                Some(b',') => {
                    self.position += 1;
                    self.skip_white_space();
                }
                Some(b']') => {
                    self.position += 1;
                    return Ok(());
                }
                Some(_) => return Err(self.malformed(Malformed::UnexpectedCharacter)),
                None => return Err(self.malformed(Malformed::UnexpectedEnd)),
            }
        }
    }

    fn string(&mut self) -> Result<(), DecodeError> {
        self.position += 1;
        loop {
            self.position = find_special(self.bytes, self.position);
            match self.peek() {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.malformed(Malformed::ControlCharacter)),
                None => return Err(self.malformed(Malformed::UnexpectedEnd)),
            }
        }
    }

    fn escape(&mut self) -> Result<(), DecodeError> {
        match self.bytes.get(self.position + 1) {
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.position += 2;
                Ok(())
            }
            Some(b'/') => {
                self.replace(2, '/');
                Ok(())
            }
            Some(b'u') => self.unicode_escape(),
            Some(_) => Err(self.malformed(Malformed::Escape)),
            None => {
                self.position += 1;
                Err(self.malformed(Malformed::UnexpectedEnd))
            }
        }
    }

    fn unicode_escape(&mut self) -> Result<(), DecodeError> {
        let unit = self.hex_digits(self.position + 2)?;
        if let Some(character) = char::from_u32(unit.into()) {
            self.replace(6, character);
            return Ok(());
        }
        let has_partner =
            (0xD800..0xDC00).contains(&unit) && self.text[self.position + 6..].starts_with("\\u");
        if !has_partner {
            return Err(self.malformed(Malformed::LoneSurrogate));
        }
        let partner = self.hex_digits(self.position + 8)?;
        match char::decode_utf16([unit, partner]).next() {
            Some(Ok(character)) => {
                self.replace(12, character);
                Ok(())
            }
            _ => Err(self.malformed(Malformed::LoneSurrogate)),
        }
    }

    fn hex_digits(&self, at: usize) -> Result<u16, DecodeError> {
        let mut unit = 0;
        for position in at..at + 4 {
            let digit = match self.bytes.get(position) {
                Some(&byte) => char::from(byte).to_digit(16),
                None => return Err(malformed(Malformed::UnexpectedEnd, self.bytes.len())),
            };
            let Some(digit) = digit else {
                return Err(malformed(Malformed::Escape, self.position));
            };
            unit = unit << 4 | digit as u16;
        }
        Ok(unit)
    }

    /// Puts `character`, escaped where it must be, in place of the next `length` bytes.
    fn replace(&mut self, length: usize, character: char) {
        self.copy_pending();
        match character {
            '"' => self.rewritten.push_str("\\\""),
            '\\' => self.rewritten.push_str("\\\\"),
            '\u{8}' => self.rewritten.push_str("\\b"),
            '\t' => self.rewritten.push_str("\\t"),
            '\n' => self.rewritten.push_str("\\n"),
            '\u{c}' => self.rewritten.push_str("\\f"),
            '\r' => self.rewritten.push_str("\\r"),
            '\0'..' ' => self
                .rewritten
                .push_str(&format!("\\u{:04x}", u32::from(character))),
            other => self.rewritten.push(other),
        }
        self.position += length;
        self.copied = self.position;
    }

    fn number(&mut self) -> Result<(), DecodeError> {
        let start = self.position;
        if self.peek() == Some(b'-') {
            self.position += 1;
            if self.text[self.position..].starts_with("Infinity") {
                self.position = start;
                return Err(self.malformed(Malformed::NonFinite));
            }
        }
        let leading_zero = self.peek() == Some(b'0');
        let integer_digits = self.digits()?;
        if leading_zero && integer_digits > 1 {
            return Err(malformed(Malformed::Number, start));
        }
        let mut is_integer = true;
        if self.peek() == Some(b'.') {
            is_integer = false;
            self.position += 1;
            self.digits()?;
        }
        let mut has_exponent = false;
        if let Some(b'e' | b'E') = self.peek() {
            is_integer = false;
            has_exponent = true;
            self.position += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.position += 1;
            }
            self.digits()?;
        }
        if is_integer {
            if integer_digits > INTEGER_DIGITS_LIMIT {
                return Err(malformed(Malformed::IntegerDigits, start));
            }
        } else if has_exponent || integer_digits > f64::MAX_10_EXP as usize {
            let value: Result<f64, _> = self.text[start..self.position].parse();
            if !value.is_ok_and(f64::is_finite) {
                return Err(malformed(Malformed::NonFinite, start));
            }
        }
        Ok(())
    }

    /// Goes over at least one digit and says how many there were.
    fn digits(&mut self) -> Result<usize, DecodeError> {
        let start = self.position;
        while let Some(b'0'..=b'9') = self.peek() {
            self.position += 1;
        }
        match self.position - start {
            0 if self.position == self.bytes.len() => Err(self.malformed(Malformed::UnexpectedEnd)),
            0 => Err(self.malformed(Malformed::Number)),
            count => Ok(count),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), DecodeError> {
        let rest = &self.bytes[self.position..];
        if rest.starts_with(word.as_bytes()) {
            self.position += word.len();
            Ok(())
        } else if word.as_bytes().starts_with(rest) {
            self.position = self.bytes.len();
            Err(self.malformed(Malformed::UnexpectedEnd))
        } else {
            Err(self.malformed(Malformed::UnexpectedCharacter))
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), DecodeError> {
        match self.peek() {
            Some(found) if found == byte => {
                self.position += 1;
                Ok(())
            }
            Some(_) => Err(self.malformed(Malformed::UnexpectedCharacter)),
            None => Err(self.malformed(Malformed::UnexpectedEnd)),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    fn skip_white_space(&mut self) {
        if !matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            return;
        }
        self.copy_pending();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.position += 1;
        }
        self.copied = self.position;
    }

    fn copy_pending(&mut self) {
        if self.rewritten.capacity() == 0 {
            self.rewritten.reserve(self.text.len());
        }
        self.rewritten.push_str(&self.text[self.copied..self.position]);
        self.copied = self.position;
    }

    /// Where the next byte will stand in the compact text.
    fn compact_position(&self) -> u32 {
        (self.rewritten.len() + self.position - self.copied) as u32
    }

    fn check_depth(&self, depth: usize) -> Result<(), DecodeError> {
        if depth > self.nesting_limit {
            return Err(DecodeError::TooDeep {
                limit: self.nesting_limit,
                offset: self.position,
            });
        }
        Ok(())
    }

    fn malformed(&self, reason: Malformed) -> DecodeError {
        malformed(reason, self.position)
    }
}

fn malformed(reason: Malformed, offset: usize) -> DecodeError {
    DecodeError::Malformed { reason, offset }
}

/// Position of the next quote, backslash or control character at or after `position`, or the length of `bytes`.
///
/// Looks at eight bytes at a time: a byte that matches has its highest bit set in the respective term below, and the
/// lowest such bit is always right (subtraction can only disturb the bytes above it).
fn find_special(bytes: &[u8], mut position: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    const SPACES: u64 = ONES * b' ' as u64;

    while let Some(chunk) = bytes.get(position..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*chunk);
        let quote = (word ^ QUOTES).wrapping_sub(ONES) & !(word ^ QUOTES);
        let backslash = (word ^ BACKSLASHES).wrapping_sub(ONES) & !(word ^ BACKSLASHES);
        let control = word.wrapping_sub(SPACES) & !word;
        let special = (quote | backslash | control) & HIGHS;
        if special != 0 {
            return position + special.trailing_zeros() as usize / 8;
        }
        position += 8;
    }
    while let Some(byte) = bytes.get(position) {
        if matches!(byte, b'"' | b'\\' | 0..b' ') {
            break;
        }
        position += 1;
    }
    position
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
        assert_eq!(
            compact(" { \"a\" :\t[ 1 ,\r\n2 ] , \"b\":{ } } "),
            r#"{"a":[1,2],"b":{}}"#
        );
        assert_eq!(
            compact(r#""\/\u0041\u00e9\u000a\u0000\u0022\u005c\uD83D\uDE00""#),
            r#""/Aé\n\u0000\"\\😀""#
        );
    }

    #[test]
    fn the_last_of_repeated_keys_wins_in_the_first_place() {
        assert_eq!(compact(r#"{"a":1,"b":2,"a":3}"#), r#"{"a":3,"b":2}"#);
        assert_eq!(
            compact(r#"{"\u0061":1,"a":[{"x":1, "x":2}],"z":0}"#),
            r#"{"a":[{"x":2}],"z":0}"#
        );
        assert_eq!(
            compact(r#"[{"k":{"k":1,"k":2},"k":{"k":3,"k":4}},5]"#),
            r#"[{"k":{"k":4}},5]"#
        );
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
    fn members_are_found_where_they_stand_after_rewriting() {
        let text = r#"{"a" : 1,"b":{"c":2},"a":"\u0041"}"#;
        let scanned = scan_object(text, 128).unwrap();
        let compact = scanned.rewritten.unwrap();
        let found: Vec<_> = scanned
            .members
            .iter()
            .map(|m| (m.key.of(&compact), m.value.of(&compact)))
            .collect();
        assert_eq!(found, [("a", r#""A""#), ("b", r#"{"c":2}"#)]);
    }

    #[test]
    fn errors_say_what_and_where() {
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
        assert_eq!(malformed(r#""\udc00\ud800""#), (Malformed::LoneSurrogate, 1));
        assert_eq!(malformed(r#""\ud800\u0041""#), (Malformed::LoneSurrogate, 1));
        assert_eq!(malformed("01"), (Malformed::Number, 0));
        assert_eq!(malformed("1.]"), (Malformed::Number, 2));
        assert_eq!(malformed("NaN"), (Malformed::NonFinite, 0));
        assert_eq!(malformed("[-Infinity]"), (Malformed::NonFinite, 1));
        assert_eq!(malformed("1e400"), (Malformed::NonFinite, 0));
        assert_eq!(
            malformed(&format!("{}.5", "9".repeat(400))),
            (Malformed::NonFinite, 0)
        );
        assert_eq!(malformed(&"9".repeat(4301)), (Malformed::IntegerDigits, 0));
    }

    #[test]
    fn nesting_is_limited() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(scan_value(&nested(128), 128), Ok(None));
        assert_eq!(
            error(&nested(129)),
            DecodeError::TooDeep {
                limit: 128,
                offset: 128
            }
        );
        assert_eq!(
            error(&"[".repeat(100_000)),
            DecodeError::TooDeep {
                limit: 128,
                offset: 128
            }
        );
    }

    #[test]
    fn special_characters_are_found_at_every_place() {
        for special in [b'"', b'\\', 0, 0x1F, b'\n'] {
            for at in 0..40 {
                let mut bytes = "é~\u{7f} !#[]ÿ".repeat(4).into_bytes();
                bytes.truncate(40);
                bytes[at] = special;
                assert_eq!(find_special(&bytes, 0), at);
            }
        }
        assert_eq!(find_special("no special here é".as_bytes(), 3), 18);
    }
}
