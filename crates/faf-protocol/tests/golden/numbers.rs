//! Numbers in the spelling of the original.

use faf_protocol::qdatastream;
use faf_testkit::golden::wire::{bytes, hex};
use serde_json::Value;

/// Returns an outcome with every number in the spelling of the original: `1E2` as `100.0`, `-0` as
/// `0`.
pub(crate) fn with_canonical_numbers(outcome: &str) -> String {
    let is_hex = outcome.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex && !outcome.is_empty() {
        return with_canonical_numbers_in_bytes(outcome);
    }
    let mut rest = outcome;
    let mut canonical = String::new();
    let mut in_string = false;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '"' => {
                in_string = !in_string;
                1
            }
            '\\' if in_string => 2,
            '-' | '0'..='9' if !in_string => {
                let length = rest.find(|c: char| !"+-.eE0123456789".contains(c)).unwrap_or(rest.len());
                canonical.push_str(&python_number(&rest[..length]));
                rest = &rest[length..];
                continue;
            }
            other => other.len_utf8(),
        };
        canonical.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    canonical
}

/// Does the same for encoded bytes: decode, change, encode again.
fn with_canonical_numbers_in_bytes(outcome: &str) -> String {
    let encoded = bytes(&Value::String(outcome.to_owned()));
    if encoded.ends_with(b"\n") {
        let line = with_canonical_numbers(std::str::from_utf8(&encoded).unwrap());
        return hex(line.as_bytes());
    }
    let (_, text) = qdatastream::read_qstring(&encoded, 4).unwrap();
    hex(&qdatastream::pack_message([with_canonical_numbers(&text).as_str()]).unwrap())
}

fn python_number(number: &str) -> String {
    if number == "-0" {
        return "0".to_owned();
    }
    if !number.contains(['.', 'e', 'E']) {
        return number.to_owned();
    }
    let Ok(value) = number.parse::<f64>() else {
        return number.to_owned();
    };
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap();
    match exponent.parse::<i32>().unwrap() {
        -4..16 if value.fract() == 0.0 => format!("{value:.1}"),
        -4..16 => value.to_string(),
        exponent => format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}
