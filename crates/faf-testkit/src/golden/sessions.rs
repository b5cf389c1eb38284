//! Recorded sessions of the original server (`golden/sessions/README.md`).

use faf_sessions::transcript::Transcript;

/// Returns all sessions with the names of their files, sorted by name.
///
/// # Panics
/// If a file cannot be parsed.
#[must_use]
pub fn all() -> Vec<(String, Transcript)> {
    let sessions = super::files("sessions", "jsonl").into_iter().map(|file| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let transcript =
            Transcript::read(&super::text(&file)).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, transcript)
    });
    sessions.collect()
}
