//! Reads a recording, entry by entry.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Recorded;
use super::folder::{Files, NotFound};
use super::format::{End, FORMAT, Header, HeaderProblem, Line, read_header, read_line};
use super::frames::{Frames, Part, Problem};
use super::open_conns::OpenConns;

/// Reads the entries of a recording in their order: a file, or the files of a folder.
///
/// It needs memory for one frame and for the connections that are open, however long the recording
/// is. After the last entry, [`ending`](Self::ending) says how the recording ends.
///
/// If the oldest files were removed, or some in between are missing or were cut off, then the
/// connections that were open at that time are `Entry::Incomplete` from there on, and
/// [`gaps`](Self::gaps) counts it. Of such a connection only the end follows.
///
/// A time that runs backwards, which `faf-wire tap` never writes, counts as the time before it;
/// [`clock_steps`](Self::clock_steps) counts that.
#[derive(Debug)]
pub struct Reader {
    files: Files,
    file: Option<OpenFile>,
    /// Number of the last file that was opened.
    number: u32,
    /// Entries that follow from the beginning of a file.
    ready: VecDeque<Recorded>,
    open: OpenConns,
    /// Text of the recording that continues in the next file, if nothing is missing before it.
    continues: Option<String>,
    /// Time of the last entry.
    at: Duration,
    entries: u64,
    gaps: u64,
    clock_steps: u64,
    is_following: bool,
    ending: Option<Ending>,
}

/// A file that is being read.
#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    frames: Frames,
    header: Option<Header>,
    /// Lines of the current frame.
    lines: Vec<u8>,
    /// Position of the next line.
    position: usize,
    end: Option<End>,
    /// Whether these lines are from a frame that was cut off, the last one of the file.
    is_cut: bool,
}

/// How a recording ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// With the mark that the program writes when it ends.
    Finished,
    /// Without this mark, because the program was killed or the disk was full, or because the file
    /// is still being written. Everything complete was returned.
    CutOff {
        /// The last file.
        file: PathBuf,
        /// Number of entries before it, in all files.
        entries: u64,
    },
    /// After an error, nothing more can be read.
    Failed,
}

/// The reason a recording cannot be read, or not any further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system cannot read a file or a folder.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// Path of the file or folder.
        path: PathBuf,
        /// Reason of the system.
        error: io::Error,
    },
    /// There is no recording there.
    #[error("there is no recording of `faf-wire tap` in {}", .0.display())]
    Nothing(PathBuf),
    /// There are several recordings.
    #[error("there are several recordings; name one of {}", Paths(.0))]
    Several(Vec<PathBuf>),
    /// The file does not begin as a recording does.
    #[error("{} is not a recording of `faf-wire tap`: {problem}", file.display())]
    NotARecording {
        /// Path of the file.
        file: PathBuf,
        /// The problem with its beginning.
        problem: String,
    },
    /// A newer program has written the file.
    #[error("{} has version {found} of the format; this program reads version {FORMAT}", file.display())]
    Newer {
        /// Path of the file.
        file: PathBuf,
        /// Version of its format; this program knows [`FORMAT`].
        found: u32,
    },
    /// The file breaks the format. All entries before that were returned.
    #[error("{} is damaged after entry {entries} of the recording: {problem}", file.display())]
    Damaged {
        /// Path of the file.
        file: PathBuf,
        /// Number of entries before the damage, in all files.
        entries: u64,
        /// The problem.
        problem: String,
    },
}

struct Paths<'a>(&'a [PathBuf]);

impl std::fmt::Display for Paths<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let paths: Vec<String> = self.0.iter().map(|path| path.display().to_string()).collect();
        f.write_str(&paths.join(", "))
    }
}

impl ReadError {
    fn in_header(file: &Path, problem: HeaderProblem) -> Self {
        let file = file.to_owned();
        match problem {
            HeaderProblem::Newer(found) => Self::Newer { file, found },
            HeaderProblem::Other(problem) => Self::NotARecording { file, problem },
        }
    }
}

impl Reader {
    /// Opens a recording that is complete, or of which the rest is not wanted. `path` is a file; a
    /// folder with one recording; or, of a folder with several, the beginning of the names of its
    /// files, such as `folder/tap-20260701T120000Z`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let files = Files::find(path).map_err(|error| match error {
            NotFound::Io(path, error) => ReadError::Io { path, error },
            NotFound::Nothing(path) => ReadError::Nothing(path),
            NotFound::Several(paths) => ReadError::Several(paths),
        })?;
        let mut reader = Self {
            files,
            file: None,
            number: 0,
            ready: VecDeque::new(),
            open: OpenConns::default(),
            continues: None,
            at: Duration::ZERO,
            entries: 0,
            gaps: 0,
            clock_steps: 0,
            is_following: false,
            ending: None,
        };
        reader.next_file()?;
        Ok(reader)
    }

    /// Opens a recording that is being written. When all of it has been read so far, the iterator
    /// returns `None`, and can be asked again later. It continues with the next file of the folder
    /// once there is one.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn follow(path: &Path) -> Result<Self, ReadError> {
        Ok(Self { is_following: true, ..Self::open(path)? })
    }

    /// Waits for no more entries: what has been written is read to its end.
    pub fn stop_following(&mut self) {
        self.is_following = false;
    }

    /// Returns how the recording ends, after its last entry; `None` before, and while more may
    /// still be written.
    #[must_use]
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Returns the number of entries returned so far.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Returns how many times entries are missing between two files, or before the first one.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.gaps
    }

    /// Returns the number of times that ran backwards.
    #[must_use]
    pub fn clock_steps(&self) -> u64 {
        self.clock_steps
    }

    /// Returns the header of the current file, once its first line has been read.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        self.file.as_ref()?.header.as_ref()
    }

    /// Opens the next file, if there is one.
    fn next_file(&mut self) -> Result<bool, ReadError> {
        while let Some((number, path)) = self.file_after()? {
            self.number = number;
            match File::open(&path) {
                Ok(file) => {
                    let (frames, lines) = (Frames::new(file), Vec::new());
                    self.file = Some(OpenFile {
                        path,
                        frames,
                        header: None,
                        lines,
                        position: 0,
                        end: None,
                        is_cut: false,
                    });
                    return Ok(true);
                }
                // The recorder has removed it as the oldest.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !self.files.is_one() => {}
                Err(error) => return Err(ReadError::Io { path, error }),
            }
        }
        Ok(false)
    }

    fn file_after(&self) -> Result<Option<(u32, PathBuf)>, ReadError> {
        let failed = |error| ReadError::Io { path: self.path().to_owned(), error };
        self.files.after(self.number).map_err(failed)
    }

    fn path(&self) -> &Path {
        self.file.as_ref().map_or(self.files.path(), |file| &file.path)
    }

    fn damaged(&self, problem: impl Into<String>) -> ReadError {
        ReadError::Damaged { file: self.path().to_owned(), entries: self.entries, problem: problem.into() }
    }

    /// Returns the next entry; `None` at the end, or if there is nothing more yet.
    fn read(&mut self) -> Result<Option<Recorded>, ReadError> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Ok(Some(entry));
            }
            let Some(file) = &mut self.file else { return Ok(None) };
            if let Some(end) = file.end_of_line() {
                // The lines are taken out for a moment, so that none has to be copied.
                let (lines, start) = (std::mem::take(&mut file.lines), file.position);
                file.position = end + 1;
                let entry = self.take(&lines[start..end]);
                if let Some(file) = &mut self.file {
                    file.lines = lines;
                }
                if let Some(entry) = entry? {
                    return Ok(Some(entry));
                }
            } else if !self.read_on()? && !self.pass_end_of_file()? {
                return Ok(None);
            }
        }
    }

    /// Reads the next frame of the file; returns whether there is one.
    fn read_on(&mut self) -> Result<bool, ReadError> {
        let Some(file) = &mut self.file else { return Ok(false) };
        match file.frames.next() {
            Ok(Part::Lines(lines)) => {
                (file.lines, file.position) = (lines, 0);
                Ok(true)
            }
            Ok(Part::End | Part::Cut) => Ok(false),
            Err(Problem::Read(error)) => Err(ReadError::Io { path: file.path.clone(), error }),
            Err(Problem::Damaged(problem)) if file.header.is_none() => {
                Err(ReadError::NotARecording { file: file.path.clone(), problem })
            }
            Err(Problem::Damaged(problem)) => Err(self.damaged(problem)),
        }
    }

    /// Handles the end of what the file holds now; returns whether there is more to read.
    fn pass_end_of_file(&mut self) -> Result<bool, ReadError> {
        let end = self.file.as_ref().and_then(|file| file.end);
        if end == Some(End::Finished) {
            self.ending = Some(Ending::Finished);
            return Ok(false);
        }
        let has_next = self.file_after()?.is_some();
        if !has_next && self.is_following {
            return Ok(false);
        }
        // Nothing is added to a file once the next one exists, but something may have been added
        // since this one was read.
        if self.read_on()? {
            return Ok(true);
        }
        if let Some(file) = &mut self.file {
            (file.lines, file.position) = (file.frames.lines_before_the_cut(), 0);
            if !file.lines.is_empty() {
                file.is_cut = true;
                return Ok(true);
            }
            let is_next = |header: Header| (end == Some(End::Next)).then_some(header.recording);
            self.continues = file.header.take().and_then(is_next);
        }
        let last = self.number;
        if has_next && self.next_file()? {
            self.continues = self.continues.take().filter(|_| self.number == last + 1);
            return Ok(true);
        }
        self.ending = Some(Ending::CutOff { file: self.path().to_owned(), entries: self.entries });
        Ok(false)
    }

    /// Takes a line of the file; returns its entry, if it is one that counts.
    fn take(&mut self, line: &[u8]) -> Result<Option<Recorded>, ReadError> {
        let Some(file) = &mut self.file else { return Ok(None) };
        if file.header.is_none() {
            let header = read_header(line).map_err(|problem| ReadError::in_header(&file.path, problem))?;
            file.header = Some(header.clone());
            self.begin(&header)?;
            return Ok(None);
        }
        if file.end.is_some() {
            return Err(self.damaged("there are lines after the end"));
        }
        match read_line(line) {
            Ok(Line::End(end)) => {
                file.end = (!file.is_cut).then_some(end);
                Ok(None)
            }
            Ok(Line::Entry(entry)) => {
                let entry = Recorded { at: self.time(entry.at), ..entry };
                match self.open.follow(&entry.entry) {
                    Ok(counts) => Ok(counts.then_some(entry)),
                    Err(problem) => Err(self.damaged(problem)),
                }
            }
            Err(problem) => Err(self.damaged(problem)),
        }
    }

    /// Begins a file. If something is missing before it, the connections that are open then are
    /// incomplete from here on.
    fn begin(&mut self, header: &Header) -> Result<(), ReadError> {
        let at = self.time(Duration::from_micros(header.at));
        match self.continues.take() {
            Some(recording) if recording == header.recording => return Ok(()),
            Some(_) => return Err(self.damaged("the file belongs to another recording")),
            None if header.file == 1 => {}
            None => self.gaps += 1,
        }
        let entries = self.open.after_a_gap(&header.open).map_err(|problem| self.damaged(problem))?;
        self.ready.extend(entries.into_iter().map(|entry| Recorded { at, entry }));
        Ok(())
    }

    /// Returns a time that does not run backwards.
    fn time(&mut self, at: Duration) -> Duration {
        self.clock_steps += u64::from(at < self.at);
        self.at = self.at.max(at);
        self.at
    }
}

impl OpenFile {
    /// Returns the end of the next line of the current frame.
    fn end_of_line(&self) -> Option<usize> {
        let rest = self.lines.get(self.position..)?;
        memchr::memchr(b'\n', rest).map(|length| self.position + length)
    }
}

/// After an error, it returns `None`. While a recording is [followed](Reader::follow), `None`
/// means that there is nothing more yet.
impl Iterator for Reader {
    type Item = Result<Recorded, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ending.is_some() {
            return None;
        }
        let read = self.read();
        match &read {
            Ok(Some(_)) => self.entries += 1,
            Ok(None) => {}
            Err(_) => self.ending = Some(Ending::Failed),
        }
        read.transpose()
    }
}
