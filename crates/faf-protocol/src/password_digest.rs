use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Returns the text that represents a password in
/// [`Hello::password`](crate::client_message::Hello): the SHA-256 digest of its UTF-8 bytes, in 64
/// lower-case hexadecimal digits.
///
/// Needs the feature `password-digest`.
#[must_use]
pub fn password_digest(password: &str) -> String {
    format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(password)))
}
