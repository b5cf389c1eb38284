//! Recorded behaviour of the original's wire layer, one JSON object per
//! vector (`golden/wire/README.md`).

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// One recorded case.
#[derive(Debug, Clone, Deserialize)]
pub struct Vector {
    /// Name of the vector, without a meaning.
    pub id: String,
    /// Operation that was called.
    pub op: String,
    /// `qdatastream`, `simplejson` or `gpgnet`.
    pub protocol: String,
    /// Tags that classify the case.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Input of the operation.
    pub input: Value,
    /// Result of the operation.
    pub expect: Value,
}

/// Returns all vectors.
///
/// # Panics
/// If a file cannot be parsed.
#[must_use]
pub fn all() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for file in super::files("wire", "jsonl") {
        vectors.extend(super::text(&file).lines().map(|line| -> Vector {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}: {line}", file.display()))
        }));
    }
    vectors
}

/// Returns all vectors of one [`Vector::protocol`] and [`Vector::op`].
///
/// # Panics
/// If a file cannot be parsed.
#[must_use]
pub fn vectors(protocol: &str, op: &str) -> Vec<Vector> {
    all().into_iter().filter(|vector| vector.protocol == protocol && vector.op == op).collect()
}

/// Returns the bytes of a `B` of the README: hexadecimal digits, or repetitions and concatenations
/// of them.
///
/// # Panics
/// If the value is not a `B`.
#[must_use]
pub fn bytes(value: &Value) -> Vec<u8> {
    expand(value, &|hex| {
        assert!(hex.len().is_multiple_of(2), "odd number of digits: {hex}");
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"))
            .collect()
    })
}

/// Returns the text of a `T` of the README.
///
/// # Panics
/// If the value is not a `T`.
#[must_use]
pub fn text(value: &Value) -> String {
    String::from_utf8(expand(value, &|text| text.as_bytes().to_vec())).expect("texts are UTF-8")
}

fn expand(value: &Value, leaf: &dyn Fn(&str) -> Vec<u8>) -> Vec<u8> {
    if let Some(text) = value.as_str() {
        leaf(text)
    } else if let Some(repeat) = value.get("repeat") {
        let count = repeat[1].as_u64().expect("a count") as usize;
        leaf(repeat[0].as_str().expect("a text")).repeat(count)
    } else if let Some(Value::Array(parts)) = value.get("concat") {
        parts.iter().flat_map(|part| expand(part, leaf)).collect()
    } else {
        panic!("neither text, repeat nor concat: {value}");
    }
}

/// Returns a short form that is equal for equal contents: the text itself or, for long contents,
/// the hash and the length, as recorded.
#[must_use]
pub fn digest(content: &[u8], readable: impl Fn(&[u8]) -> String) -> String {
    /// Maximum length, in bytes, of contents that are recorded as they are and not by their hash.
    const READABLE: usize = 20_000;

    if content.len() > READABLE {
        let hash = Sha256::digest(content);
        format!("sha256 {} of {} bytes", hex(&hash), content.len())
    } else {
        readable(content)
    }
}

/// Returns the recorded form of bytes or text, for comparison with [`digest`].
///
/// # Panics
/// If `readable` panics.
#[must_use]
pub fn recorded_digest(value: &Value, readable: impl Fn(&Value) -> String) -> String {
    match (value.get("sha256"), value.get("len")) {
        (Some(Value::String(hash)), Some(length)) => format!("sha256 {hash} of {length} bytes"),
        _ => readable(value),
    }
}

/// Returns bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
