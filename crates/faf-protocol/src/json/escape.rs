//! Encodes outgoing JSON text in pure ASCII.
//!
//! Everything outside U+0020..U+007E is written as `\uXXXX`, lower-case, and beyond the BMP as a
//! surrogate pair. Clients depend on it: they decode each received piece of the stream separately,
//! and also cut lines at U+0085 and U+2028 (wire.md section 7).

use serde::Serialize;

use crate::error::EncodeError;

/// Appends `value` as compact ASCII JSON.
///
/// # Errors
/// [`EncodeError::NotRepresentable`], for example for a map whose keys are not strings.
pub(crate) fn write_ascii(value: &impl Serialize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    serde_json::to_writer(&mut *out, value).map_err(EncodeError::not_representable)?;
    // Nearly everything is ASCII already, so one check of the whole is cheaper than a check of
    // every string.
    if !is_printable(&out[start..]) {
        let text = String::from_utf8(out.split_off(start)).expect("serde_json writes UTF-8");
        push_ascii(&text, out);
    }
    Ok(())
}

/// Appends JSON text, escaping what is not printable ASCII.
///
/// Such characters occur only inside strings, so no parsing is needed.
pub(crate) fn push_ascii(text: &str, out: &mut Vec<u8>) {
    if is_printable(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let mut units = [0; 2];
    for character in text.chars() {
        match character {
            ' '..='~' => out.push(character as u8),
            other => {
                for unit in other.encode_utf16(&mut units) {
                    push_unit(*unit, out);
                }
            }
        }
    }
}

/// Appends a text as a JSON string in compact form: UTF-8, with as few escapes as JSON allows.
pub(crate) fn push_quoted(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(found) = rest.bytes().position(is_escaped) {
        out.push_str(&rest[..found]);
        push_escaped(rest.as_bytes()[found], out);
        rest = &rest[found + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Returns the number of bytes that [`push_quoted`] appends.
pub(crate) fn quoted_length(text: &[u8]) -> usize {
    let length = |byte: &u8| match byte {
        b'"' | b'\\' | 8..=10 | 12 | 13 => 2,
        0..b' ' => 6,
        _ => 1,
    };
    text.iter().map(length).sum::<usize>() + 2
}

/// Appends an ASCII character as it is in a compact string, where it [must be escaped](is_escaped).
pub(super) fn push_escaped(byte: u8, out: &mut String) {
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        8 => out.push_str("\\b"),
        b'\t' => out.push_str("\\t"),
        b'\n' => out.push_str("\\n"),
        12 => out.push_str("\\f"),
        b'\r' => out.push_str("\\r"),
        control => {
            out.push_str("\\u00");
            for digit in [control >> 4, control & 0xF] {
                out.push(char::from(DIGITS[usize::from(digit)]));
            }
        }
    }
}

pub(super) fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..b' ')
}

/// Returns whether all bytes are ASCII without DEL. Other control characters do not occur in
/// compact JSON text.
fn is_printable(bytes: &[u8]) -> bool {
    // The largest byte of a block is found with vector instructions; stopping inside a block would
    // prevent that.
    bytes.chunks(256).all(|block| block.iter().copied().fold(0, u8::max) < 0x7F)
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn push_unit(unit: u16, out: &mut Vec<u8>) {
    let digit = |shift: u16| DIGITS[usize::from(unit >> shift & 0xF)];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_printable_ascii() {
        let text = "a\u{7f}é\u{2028}😀\u{1}\n\"\\/";
        let mut out = Vec::new();
        write_ascii(&text, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), r#""a\u007f\u00e9\u2028\ud83d\ude00\u0001\n\"\\/""#);
    }

    #[test]
    fn quoted_text_is_compact() {
        for text in ["", "plain é", "a\"b\\c/", "\0\u{8}\t\n\u{b}\u{c}\r\u{1f} \u{7f}😀"] {
            let mut out = String::new();
            push_quoted(text, &mut out);
            assert_eq!(out, serde_json::to_string(text).unwrap());
            assert_eq!(quoted_length(text.as_bytes()), out.len());
        }
    }

    #[test]
    fn whole_floats_keep_their_point() {
        let mut out = Vec::new();
        write_ascii(&(1650.0, 62.52, f64::NAN, 7), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "[1650.0,62.52,null,7]");
    }
}
