//! Reads the files of sessions.

use std::io;
use std::path::{Path, PathBuf};

use faf_sessions::transcript::{InvalidTranscript, Transcript};

/// End of the names of files with sessions.
const EXTENSION: &str = "jsonl";

/// Maximum number of bytes of a file. The longest recorded session has half a megabyte.
const LIMIT: u64 = 256 << 20;

/// A recorded session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Name of the file, without its folder and its extension.
    pub name: String,
    /// Its records.
    pub transcript: Transcript,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A file or folder cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// Path of the file or folder.
        path: PathBuf,
        /// Cause of the failure.
        error: io::Error,
    },
    /// The file is not a session.
    #[error("{}, {error}", path.display())]
    Invalid {
        /// Path of the file.
        path: PathBuf,
        /// The line, and what is wrong with it.
        error: InvalidTranscript,
    },
    /// The file is larger than any session.
    #[error("{}: a session of {length} bytes, and {LIMIT} are allowed", path.display())]
    TooLong {
        /// Path of the file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
    },
    /// The folder has no files with sessions.
    #[error("{}: no file ends in .{EXTENSION}", .0.display())]
    Empty(PathBuf),
}

/// Reads a session, or all sessions of a folder, sorted by the names of their files. In a folder,
/// only files that end in `.jsonl` are read.
///
/// # Errors
/// [`SessionError`], for the first file that is no session.
pub fn read(path: &Path) -> Result<Vec<Session>, SessionError> {
    let failed = |error| SessionError::Io { path: path.to_owned(), error };
    if !path.metadata().map_err(failed)?.is_dir() {
        return Ok(vec![read_file(path)?]);
    }
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|extension| extension == EXTENSION) {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(SessionError::Empty(path.to_owned()));
    }
    files.sort();
    files.iter().map(|file| read_file(file)).collect()
}

fn read_file(path: &Path) -> Result<Session, SessionError> {
    let failed = |error| SessionError::Io { path: path.to_owned(), error };
    let length = path.metadata().map_err(failed)?.len();
    if length > LIMIT {
        return Err(SessionError::TooLong { path: path.to_owned(), length });
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let transcript =
        Transcript::read(&text).map_err(|error| SessionError::Invalid { path: path.to_owned(), error })?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Session { name, transcript })
}
