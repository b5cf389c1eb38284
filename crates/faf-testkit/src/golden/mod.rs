//! The recorded facts in the folder `golden/` of the repository. Its README files say what they are.

use std::path::PathBuf;

pub mod sessions;
pub mod wire;

/// The path of a golden file.
///
/// # Panics
/// If there is no such file: a test that needs it must not pass without it.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden")).join(name);
    assert!(path.exists(), "golden data is missing: {}", path.display());
    path
}

/// The text of a golden file.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("golden/{name}: {error}"))
}
