//! The names of the files of a recording in its folder.

use std::io;
use std::path::{Path, PathBuf};

use crate::rotation::{Directory, FileName, Folder as _, Names};

/// The names of the files, such as `tap-20260701T120000Z-0001.jsonl.zst`: the time at which the
/// recording began, and the number of the file in it, from 1. The second suffix is for files that
/// somebody has decompressed.
pub const NAMES: Names = Names { prefix: "tap-", suffixes: &[".jsonl.zst", ".jsonl"] };

/// Lists the files of recordings in a folder, in order.
fn files_in(folder: &Path) -> io::Result<Vec<FileName>> {
    Ok(NAMES.select(&Directory::new(folder).names()?))
}

/// The files of one recording, of which the last may not exist yet.
#[derive(Debug)]
pub(super) enum Files {
    One(PathBuf),
    Folder {
        folder: PathBuf,
        /// Time at which the recording began, as in the names; `None` until there is a file.
        began: Option<String>,
    },
}

/// The reason a recording cannot be found.
#[derive(Debug)]
pub(super) enum NotFound {
    Io(PathBuf, io::Error),
    /// There is none in this folder.
    Nothing(PathBuf),
    /// There are several; each is named by what its file names begin with.
    Several(Vec<PathBuf>),
}

impl Files {
    /// Finds the recording that a path names: a file, a folder, or a folder and the beginning of
    /// the names of its files.
    pub(super) fn find(path: &Path) -> Result<Self, NotFound> {
        if path.is_dir() {
            let mut files = Self::Folder { folder: path.to_owned(), began: None };
            files.choose()?;
            return Ok(files);
        }
        let began = path.file_name().and_then(|name| name.to_str()?.strip_prefix(NAMES.prefix));
        match (began, path.parent()) {
            (Some(began), Some(folder)) if !path.exists() && began.len() == 16 => {
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                let files = Self::Folder { folder: folder.to_owned(), began: Some(began.to_owned()) };
                match files.after(0).map_err(|error| NotFound::Io(folder.to_owned(), error))? {
                    Some(_) => Ok(files),
                    None => Err(NotFound::Nothing(path.to_owned())),
                }
            }
            _ => Ok(Self::One(path.to_owned())),
        }
    }

    /// Finds out which recording a folder holds.
    fn choose(&mut self) -> Result<(), NotFound> {
        let Self::Folder { folder, began: began @ None } = self else { return Ok(()) };
        let files = files_in(folder).map_err(|error| NotFound::Io(folder.clone(), error))?;
        let mut recordings: Vec<String> = files.into_iter().map(|file| file.began).collect();
        recordings.dedup();
        match &mut recordings[..] {
            [] => Err(NotFound::Nothing(folder.clone())),
            [only] => {
                *began = Some(std::mem::take(only));
                Ok(())
            }
            several => {
                let path = |began: &String| folder.join(format!("{}{began}", NAMES.prefix));
                Err(NotFound::Several(several.iter().map(path).collect()))
            }
        }
    }

    pub(super) fn is_one(&self) -> bool {
        matches!(self, Self::One(_))
    }

    /// Returns the file or the folder.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::One(path) | Self::Folder { folder: path, .. } => path,
        }
    }

    /// Returns the first file after the one with this number, if there is one.
    pub(super) fn after(&self, number: u32) -> io::Result<Option<(u32, PathBuf)>> {
        match self {
            Self::One(path) => Ok((number == 0).then(|| (1, path.clone()))),
            Self::Folder { began: None, .. } => Ok(None),
            Self::Folder { folder, began: Some(began) } => {
                let mut files = files_in(folder)?.into_iter();
                let next = files.find(|file| file.began == *began && file.number > number);
                Ok(next.map(|file| (file.number, folder.join(file.name))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_and_recognized() {
        let made = NAMES.name("20260701T120000Z", 7);
        assert_eq!(made.name, "tap-20260701T120000Z-0007.jsonl.zst");
        assert_eq!(NAMES.read(&made.name), Some(made));
        assert_eq!(NAMES.read("tap-20260701T120000Z-12345.jsonl").unwrap().number, 12345);
        for other in [
            "tap.jsonl.zst",
            "tap-20260701T120000Z-0007.jsonl.gz",
            "tap-20260701T120000Z-7.jsonl",
            "tap-2026-07-01T120000Z-0007.jsonl",
            "my-tap-20260701T120000Z-0007.jsonl",
            "tap-20260701T120000Z-0007-keep.jsonl.zst",
            "lobby-20260701T120000Z-0007.jsonl",
        ] {
            assert_eq!(NAMES.read(other), None, "{other}");
        }
    }
}
