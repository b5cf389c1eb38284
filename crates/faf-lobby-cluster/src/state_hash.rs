//! Hashes of the state of a replica, one for each member of it, so that two replicas that differ
//! can say in what.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// Hashes by the names of the parts.
pub type Parts = BTreeMap<String, String>;

/// Number of bytes of a hash that are kept.
const HASH_BYTES: usize = 8;

/// Returns the hash of each member of a value that serialises as an object.
pub(crate) fn hash_parts(value: &impl Serialize) -> Parts {
    let mut writer = PartsWriter::default();
    serde_json::to_writer(&mut writer, value)
        .expect("the state is JSON: its maps have text or numbers as keys");
    writer.parts
}

/// Splits the JSON text of an object into its members while it is written, and hashes each: the
/// text of a large lobby is never in memory.
#[derive(Default)]
struct PartsWriter {
    parts: Parts,
    /// Number of objects and arrays around the current byte.
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    /// The name of the current member as it is read; it ends with the colon after it.
    name: Vec<u8>,
    has_name: bool,
    hash: Sha256,
}

impl PartsWriter {
    /// Handles a byte outside texts. Returns whether it belongs to the value of a member.
    fn structure(&mut self, byte: u8) -> bool {
        match byte {
            b'{' | b'[' => {
                self.depth += 1;
                self.depth > 1
            }
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.end_member();
                }
                self.depth > 0
            }
            b':' if self.depth == 1 => {
                self.has_name = true;
                false
            }
            b',' if self.depth == 1 => {
                self.end_member();
                false
            }
            _ => true,
        }
    }

    fn end_member(&mut self) {
        if !self.has_name {
            return;
        }
        let name = String::from_utf8_lossy(&self.name).into_owned();
        let hash = std::mem::take(&mut self.hash).finalize();
        self.parts.insert(name, hex(&hash[..HASH_BYTES]));
        self.name.clear();
        self.has_name = false;
    }
}

impl io::Write for PartsWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Beginning of the bytes of the current value that are not hashed yet.
        let mut begin = 0;
        for (at, byte) in bytes.iter().copied().enumerate() {
            let before = (self.depth, self.has_name);
            let is_value = if self.in_text {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                if !self.has_name && self.in_text {
                    self.name.push(byte);
                }
                self.has_name
            } else if byte == b'"' {
                self.in_text = true;
                self.has_name
            } else {
                let ends = self.depth == 1 && matches!(byte, b',' | b'}');
                if ends && before.1 {
                    self.hash.update(&bytes[begin..at]);
                }
                let is_value = self.structure(byte) && before.1;
                if ends {
                    begin = at + 1;
                }
                is_value
            };
            if !is_value {
                begin = at + 1;
            }
        }
        if self.has_name {
            self.hash.update(&bytes[begin.min(bytes.len())..]);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_member_has_a_hash_of_its_value() {
        let hash = |text: &str| hex(&Sha256::digest(text)[..HASH_BYTES]);
        let value = json!({"a": 1, "b": {"a": [1, {"x": "}"}], "c": "\",\\"}, "c": [], "d": "text:,"});
        let parts = hash_parts(&value);
        let expected: Parts = value
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), hash(&value.to_string())))
            .collect();
        assert_eq!(parts, expected);
        assert!(hash_parts(&json!({})).is_empty());
    }
}
