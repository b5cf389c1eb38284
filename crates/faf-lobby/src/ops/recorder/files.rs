//! The names of the files of recordings.

use faf_lobby_core::Timestamp;
use faf_sessions::rotation::Names;

/// The names of the files, such as `lobby-20260701T120000Z-0007.jsonl`: the time at which the file
/// began, and its number since the start of the server.
pub(super) const NAMES: Names = Names { prefix: "lobby-", suffixes: &[".jsonl"] };

/// Returns the name of a file that begins at this time.
pub(super) fn name(began: Timestamp, number: u32) -> String {
    let time = began.to_string();
    let time: String = time.chars().take(19).filter(|letter| !matches!(letter, '-' | ':')).collect();
    NAMES.name(&format!("{time}Z"), number).name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_recording(name: &str) -> bool {
        NAMES.read(name).is_some()
    }

    #[test]
    fn names_are_made_and_recognized() {
        let name = name(Timestamp(1_782_907_200_250_000), 7);
        assert_eq!(name, "lobby-20260701T120000Z-0007.jsonl");
        assert!(is_recording(&name) && is_recording("lobby-20260701T120000Z-12345.jsonl"));
        for other in [
            "lobby.jsonl",
            "lobby-20260701T120000Z-0007.jsonl.gz",
            "lobby-20260701T120000Z-7.jsonl",
            "lobby-2026-07-01T120000Z-0007.jsonl",
            "my-lobby-20260701T120000Z-0007.jsonl",
            "lobby-20260701T120000Z-0007-keep.jsonl",
        ] {
            assert!(!is_recording(other), "{other}");
        }
    }
}
