//! The folder of recordings.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use faf_lobby_core::Timestamp;

const PREFIX: &str = "lobby-";
const SUFFIX: &str = ".jsonl";

/// A folder for files; in tests one that fails on demand.
pub(super) trait Folder: Send {
    /// Creates a file that only this user may read.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if there is one with this name.
    fn create(&mut self, name: &str) -> io::Result<Box<dyn Write + Send>>;

    /// Returns the names of everything in it.
    fn names(&mut self) -> io::Result<Vec<String>>;

    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Returns its path, for the log.
    fn path(&self) -> &Path;
}

/// A folder of the file system.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Folder for Directory {
    fn create(&mut self, name: &str) -> io::Result<Box<dyn Write + Send>> {
        // On every call, because somebody may have removed it.
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.0.join(name))?;
        Ok(Box::new(file))
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

/// Returns the name of a file that begins at this time. Names sort by time, and within a second
/// by number.
pub(super) fn name(began: Timestamp, number: u32) -> String {
    let time = began.to_string();
    let time: String = time.chars().take(19).filter(|letter| !matches!(letter, '-' | ':')).collect();
    format!("{PREFIX}{time}Z-{number:04}{SUFFIX}")
}

/// Returns whether this is the name of a recording, which may be removed.
fn is_recording(name: &str) -> bool {
    let middle = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    middle.and_then(|middle| middle.split_once("Z-")).is_some_and(|(time, number)| {
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let date_and_time = time.split_once('T');
        date_and_time.is_some_and(|(date, time)| {
            date.len() == 8 && is_digits(date) && time.len() == 6 && is_digits(time)
        }) && number.len() >= 4
            && is_digits(number)
    })
}

/// Removes the oldest recordings, so that this many are left. The current one stays, whatever the
/// clock said when it began.
pub(super) fn remove_old(folder: &mut dyn Folder, current: &str, files: usize) -> io::Result<()> {
    let mut others: Vec<String> = folder.names()?;
    others.retain(|name| is_recording(name) && name != current);
    others.sort_unstable();
    let surplus = (others.len() + 1).saturating_sub(files);
    for name in others.iter().take(surplus) {
        folder.remove(name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
