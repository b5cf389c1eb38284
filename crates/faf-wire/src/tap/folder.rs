//! The folder of recordings.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use faf_sessions::recording::folder::{FileName, files_in};

/// A folder for files; in tests one that fails on demand.
pub(super) trait Folder: Send {
    /// Creates a file that only this user may read.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if there is one with this name.
    fn create(&mut self, name: &str) -> io::Result<Box<dyn Write + Send>>;

    /// Lists the files of recordings, in order.
    fn files(&mut self) -> io::Result<Vec<FileName>>;

    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Returns its path, for messages.
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
        let (mut folders, mut options) = (DirBuilder::new(), OpenOptions::new());
        #[cfg(unix)]
        {
            std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        // On every call, because somebody may have removed it.
        folders.recursive(true).create(&self.0).map_err(|error| match error.kind() {
            // Not to be confused with a file that exists.
            io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
            _ => error,
        })?;
        Ok(Box::new(options.write(true).create_new(true).open(self.0.join(name))?))
    }

    fn files(&mut self) -> io::Result<Vec<FileName>> {
        files_in(&self.0)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}
