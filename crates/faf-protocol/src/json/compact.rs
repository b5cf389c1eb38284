//! Walks JSON text that is known to be valid. Nothing here fails; for other text the results are
//! meaningless.

use std::borrow::Cow;

use memchr::memchr2;

/// Keys (escaped, without quotes) and values of a compact object, as text.
#[derive(Debug, Clone)]
pub(crate) struct Members<'a> {
    object: &'a str,
    /// Position before the next key, or at the end.
    position: usize,
}

impl<'a> Members<'a> {
    pub(crate) fn of(object: &'a str) -> Self {
        Self { object, position: 1 }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        let bytes = self.object.as_bytes();
        if bytes.get(self.position) != Some(&b'"') {
            return None;
        }
        let key_end = end_of_string(bytes, self.position);
        let value_end = end_of_value(bytes, key_end + 1);
        let member = (&self.object[self.position + 1..key_end - 1], &self.object[key_end + 1..value_end]);
        self.position = value_end + 1;
        Some(member)
    }
}

/// The elements of a compact array, as text.
#[derive(Debug, Clone)]
pub(crate) struct Elements<'a> {
    array: &'a str,
    /// Position before the next element, or at the end.
    position: usize,
}

impl<'a> Elements<'a> {
    pub(crate) fn of(array: &'a str) -> Self {
        Self { array, position: 1 }
    }

    /// Returns the elements that have not been taken, without the opening bracket, and with the
    /// closing bracket.
    pub(crate) fn rest(&self) -> &'a str {
        self.array.get(self.position..).filter(|rest| !rest.is_empty()).unwrap_or("]")
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let start = self.position;
        if matches!(self.array.as_bytes().get(start), None | Some(b']')) {
            return None;
        }
        let end = end_of_value(self.array.as_bytes(), start);
        self.position = end + 1;
        Some(&self.array[start..end])
    }
}

/// Returns the position after the string that begins at `at`.
pub(crate) fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut position = at + 1;
    loop {
        match memchr2(b'"', b'\\', bytes.get(position..).unwrap_or_default()) {
            Some(found) if bytes[position + found] == b'"' => return position + found + 1,
            Some(found) => position += found + 2,
            None => return bytes.len(),
        }
    }
}

/// Returns the position after the value that begins at `at`. The text may have white space.
pub(crate) fn end_of_value(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b'"') => end_of_string(bytes, at),
        Some(b'{' | b'[') => end_of_container(bytes, at),
        _ => {
            let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
            let rest = bytes.get(at..).unwrap_or_default();
            rest.iter().position(is_end).map_or(bytes.len(), |length| at + length)
        }
    }
}

fn end_of_container(bytes: &[u8], at: usize) -> usize {
    let (mut position, mut depth) = (at, 0_usize);
    while let Some(byte) = bytes.get(position) {
        match byte {
            b'"' => {
                position = end_of_string(bytes, position);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return position + 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        position += 1;
    }
    bytes.len()
}

/// Returns the position of the value whose key begins at `at`. The text may have white space.
pub(crate) fn value_of_member(bytes: &[u8], at: usize) -> usize {
    let mut position = end_of_string(bytes, at);
    while matches!(bytes.get(position), Some(b':' | b' ' | b'\t' | b'\n' | b'\r')) {
        position += 1;
    }
    position
}

/// Returns the text of a compact string without its quotes, with its escapes resolved.
pub(crate) fn unescaped(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    // No escape is shorter than the character that it encodes.
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..found]);
        let (character, length) = match rest.as_bytes().get(found + 1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            // In compact form, these are only control characters.
            Some(b'u') => {
                let unit =
                    rest.get(found + 2..found + 6).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                (unit.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
            }
            Some(b'"') => ('"', 2),
            _ => ('\\', 2),
        };
        out.push(character);
        rest = rest.get(found + length..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_elements_are_found() {
        let object = r#"{"a":1,"b\"}":{"c":[2,"}"]},"":"x\\","d":null}"#;
        let found: Vec<_> = Members::of(object).collect();
        assert_eq!(found, [("a", "1"), (r#"b\"}"#, r#"{"c":[2,"}"]}"#), ("", r#""x\\""#), ("d", "null")]);
        assert_eq!(Members::of("{}").count(), 0);
        let mut elements = Elements::of(r#"[[1,[]],"],",true]"#);
        assert_eq!(elements.next(), Some("[1,[]]"));
        assert_eq!(elements.rest(), r#""],",true]"#);
        assert_eq!(elements.by_ref().collect::<Vec<_>>(), [r#""],""#, "true"]);
        assert_eq!((elements.next(), elements.rest()), (None, "]"));
        assert_eq!(Elements::of("[]").count(), 0);
    }

    #[test]
    fn values_are_found_between_white_space() {
        let text = br#"{ "a\"" : 12 , "b":[ ] }"#;
        let value = value_of_member(text, 2);
        assert_eq!(&text[value..end_of_value(text, value)], b"12");
    }

    #[test]
    fn escapes_are_resolved() {
        assert!(matches!(unescaped("plain é"), Cow::Borrowed("plain é")));
        assert_eq!(unescaped(r#"a\"\\b\b\f\n\r\t\u001fz"#), "a\"\\b\u{8}\u{c}\n\r\t\u{1f}z");
    }
}
