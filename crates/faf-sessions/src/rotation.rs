//! A series of files in a folder, of which the oldest are removed: recordings of a lobby, and those
//! of `faf-wire tap`.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The names of the files of one kind, such as `lobby-20260701T120000Z-0007.jsonl`: a prefix, a
/// time, a number of at least four digits, and a suffix.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// Beginning of every name.
    pub prefix: &'static str,
    /// Possible ends; new files have the first.
    pub suffixes: &'static [&'static str],
}

/// A file of a series, by its name. Files sort by time, and then by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName {
    /// The time in the name, such as `20260701T120000Z`.
    pub began: String,
    /// The number in the name.
    pub number: u32,
    /// The name itself.
    pub name: String,
}

impl Names {
    /// Makes the name of a new file.
    #[must_use]
    pub fn name(&self, began: &str, number: u32) -> FileName {
        let suffix = self.suffixes.first().copied().unwrap_or_default();
        let name = format!("{}{began}-{number:04}{suffix}", self.prefix);
        FileName { began: began.to_owned(), number, name }
    }

    /// Reads a name; `None` for a file of another kind.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<FileName> {
        let middle = name.strip_prefix(self.prefix)?;
        let middle = self.suffixes.iter().find_map(|suffix| middle.strip_suffix(suffix))?;
        let (began, number) = middle.split_once('-')?;
        let (date, time) = began.strip_suffix('Z')?.split_once('T')?;
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_name = date.len() == 8 && time.len() == 6 && is_digits(date) && is_digits(time);
        if !is_name || number.len() < 4 || !is_digits(number) {
            return None;
        }
        Some(FileName { began: began.to_owned(), number: number.parse().ok()?, name: name.to_owned() })
    }

    /// Returns the files of this kind among these names, in order.
    #[must_use]
    pub fn select(&self, names: &[String]) -> Vec<FileName> {
        let mut files: Vec<FileName> = names.iter().filter_map(|name| self.read(name)).collect();
        files.sort();
        files
    }
}

/// A folder for files; in tests one that fails on demand.
pub trait Folder: Send {
    /// Creates a file that only this user may read.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if there is one with this name; otherwise those of the
    /// operating system.
    fn create(&mut self, name: &str) -> io::Result<Box<dyn Write + Send>>;

    /// Returns the names of everything in it.
    ///
    /// # Errors
    /// Those of the operating system.
    fn names(&mut self) -> io::Result<Vec<String>>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Returns its path, for messages.
    fn path(&self) -> &Path;
}

/// A folder of the file system. It is created with the first file, for this user only.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// Names a folder, which need not exist.
    #[must_use]
    pub fn new(path: &Path) -> Self {
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
            // Not to be confused with a file that exists, for which callers try another name.
            io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
            _ => error,
        })?;
        Ok(Box::new(options.write(true).create_new(true).open(self.0.join(name))?))
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

/// Removes the oldest files of a kind, so that this many are left; returns whether there were more.
/// The current one stays, whatever the clock said when it began.
///
/// # Errors
/// Those of the operating system; then some may have been removed.
pub fn remove_oldest(folder: &mut dyn Folder, names: Names, current: &str, left: usize) -> io::Result<bool> {
    let mut others = names.select(&folder.names()?);
    others.retain(|file| file.name != current);
    let surplus = (others.len() + 1).saturating_sub(left);
    for file in others.iter().take(surplus) {
        folder.remove(&file.name)?;
    }
    Ok(surplus > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_place_of_the_folder_is_not_a_file_that_exists() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Directory::new(file.path()).create("a").err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
        let folder = tempfile::tempdir().unwrap();
        let mut folder = Directory::new(&folder.path().join("new"));
        folder.create("a").unwrap();
        assert_eq!(folder.create("a").err().unwrap().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn files_sort_by_time_and_number() {
        let names = Names { prefix: "x-", suffixes: &[".a"] };
        let file = |began: &str, number: u32| names.name(began, number).name;
        let (first, second) = ("20260701T120000Z", "20260701T120001Z");
        let mixed = [file(second, 1), file(first, 10_000), "other".to_owned(), file(first, 9_999)];
        let sorted: Vec<String> = names.select(&mixed).into_iter().map(|file| file.name).collect();
        assert_eq!(sorted, [file(first, 9_999), file(first, 10_000), file(second, 1)]);
    }
}
