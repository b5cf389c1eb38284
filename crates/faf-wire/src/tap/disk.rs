//! The files of a recording, and what to do when they cannot be written.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use faf_sessions::recording::folder::NAMES;
use faf_sessions::recording::format::{End, FORMAT, Header, OpenConn};
use faf_sessions::recording::{Compress, Entry, FRAME_TIME, FileWriter};
use faf_sessions::rotation::{Folder, remove_oldest};
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

use crate::exit::complain;

/// Pause after a failure of the disk; after each further one twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Longest time by which a recording is named later than it began.
const NAME_LIMIT: Duration = Duration::from_secs(60);

/// The fastest level that finds repetitions far apart, such as a message to every client.
const LEVEL: i32 = 1;

/// Size and number of the files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes at which the next file begins.
    pub(super) size: u64,
    /// Maximum number of files.
    pub(super) files: usize,
}

/// Writes the files of a recording.
///
/// After a failure, nothing is written until a new file can be begun. Standard error tells the
/// first failure, and that it goes on.
pub(super) struct Disk {
    folder: Box<dyn Folder>,
    bounds: Bounds,
    /// A text for this recording.
    recording: String,
    /// Time at which it began, as in the names of files.
    began: String,
    /// Time of day at which it began.
    began_at: SystemTime,
    /// Number of the last file.
    number: u32,
    file: Option<FileWriter<Box<dyn Write + Send>>>,
    /// Time of the last flush.
    flushed: Duration,
    failure: Option<Failure>,
    has_removed: bool,
}

/// A failure of the disk.
#[derive(Debug, Clone, Copy)]
struct Failure {
    /// Time of the next attempt.
    next: Duration,
    /// Pause before it.
    pause: Duration,
}

/// The file cannot be written any more, and entries are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed;

impl Disk {
    pub(super) fn new(folder: Box<dyn Folder>, bounds: Bounds, recording: String, now: SystemTime) -> Self {
        Self {
            folder,
            bounds,
            recording,
            began: name_of(now),
            began_at: now,
            number: 0,
            file: None,
            flushed: Duration::ZERO,
            failure: None,
            has_removed: false,
        }
    }

    /// Returns whether there is a file.
    pub(super) fn is_recording(&self) -> bool {
        self.file.is_some()
    }

    /// Returns whether a file should be begun now.
    pub(super) fn wants_file(&self, now: Duration) -> bool {
        match &self.file {
            Some(file) => file.written() >= self.bounds.size,
            None => self.failure.is_none_or(|failure| now >= failure.next),
        }
    }

    /// Begins the next file. These connections are open.
    pub(super) fn begin(&mut self, now: Duration, open: Vec<OpenConn>) -> Result<(), Failed> {
        let continued = match self.file.take() {
            Some(file) => file.finish(End::Next),
            None => Ok(()),
        };
        let begun = continued.and_then(|()| self.begin_file(now, open));
        self.check(now, begun)?;
        if self.failure.take().is_some() {
            complain("the recording goes on in a new file");
        }
        Ok(())
    }

    fn begin_file(&mut self, now: Duration, open: Vec<OpenConn>) -> io::Result<()> {
        let (name, out) = loop {
            self.number = self.number.saturating_add(1);
            let name = NAMES.name(&self.began, self.number).name;
            match self.folder.create(&name) {
                // Another one that began within the same second.
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists
                        && self.number == 1
                        && self.began_at < SystemTime::now() + NAME_LIMIT =>
                {
                    self.number = 0;
                    self.began_at += Duration::from_secs(1);
                    self.began = name_of(self.began_at);
                }
                created => break (name, created?),
            }
        };
        let header = Header {
            faf_tap_recording: FORMAT,
            program: concat!("faf-wire ", env!("CARGO_PKG_VERSION")).to_owned(),
            recording: self.recording.clone(),
            file: self.number,
            at: u64::try_from(now.as_micros()).unwrap_or(u64::MAX),
            utc: micros(SystemTime::now()),
            open,
        };
        match compressor().and_then(|compress| FileWriter::begin(out, &header, compress)) {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                // On a full disk, every attempt would leave another file.
                let _ = self.folder.remove(&name);
                self.number -= 1;
                return Err(error);
            }
        }
        self.flushed = now;
        self.remove_old(&name);
        Ok(())
    }

    /// Removes the oldest files, and tells so once.
    fn remove_old(&mut self, current: &str) {
        match remove_oldest(&mut *self.folder, NAMES, current, self.bounds.files) {
            Ok(false) => {}
            Ok(true) if self.has_removed => {}
            Ok(true) => {
                self.has_removed = true;
                complain(format_args!(
                    "there are more than {} files: the oldest are removed from now on",
                    self.bounds.files
                ));
            }
            Err(error) => complain(format_args!("old recordings cannot be removed: {error}")),
        }
    }

    /// Adds an entry to the file, if there is one.
    pub(super) fn add(&mut self, at: Duration, entry: &Entry) -> Result<(), Failed> {
        match &mut self.file {
            Some(file) => {
                let added = file.add(at, entry);
                self.check(at, added)
            }
            None => Err(Failed),
        }
    }

    /// Writes what waits, if some time has passed.
    pub(super) fn tick(&mut self, now: Duration) -> Result<(), Failed> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if now.saturating_sub(self.flushed) < FRAME_TIME / 2 {
            return Ok(());
        }
        self.flushed = now;
        let flushed = file.flush();
        self.check(now, flushed)
    }

    /// Ends the recording.
    pub(super) fn finish(&mut self) {
        let finished = self.file.take().map_or(Ok(()), |file| file.finish(End::Finished));
        if let Err(error) = finished {
            complain(format_args!("the end of the recording cannot be written: {error}"));
        }
    }

    fn check(&mut self, now: Duration, done: io::Result<()>) -> Result<(), Failed> {
        let Err(error) = done else { return Ok(()) };
        self.file = None;
        if self.failure.is_none() {
            let folder = self.folder.path().display();
            complain(format_args!(
                "the recording in {folder} is interrupted: {error}; clients are served without it, and it is tried \
                 again"
            ));
        }
        let pause = self.failure.map_or(FIRST_PAUSE, |failure| (failure.pause * 2).min(LONGEST_PAUSE));
        self.failure = Some(Failure { next: now + pause, pause });
        Err(Failed)
    }
}

/// Returns a time of day in microseconds since 1970.
pub(super) fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Returns the compression of one file.
fn compressor() -> io::Result<Box<Compress>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    Ok(Box::new(move |lines, frame| {
        frame.reserve(compress_bound(lines.len()));
        compressor.compress_to_buffer(lines, frame)?;
        Ok(())
    }))
}

/// Formats a time of day (UTC) as `20260701T120000Z`.
fn name_of(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March, so that a leap day is the last one.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (era * 400 + year, month + 3),
        _ => (era * 400 + year + 1, month - 9),
    };
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Damage is only found with a checksum (RFC 8878 section 3.1.1.1.1).
    #[test]
    fn a_frame_has_a_checksum() {
        let mut frame = Vec::new();
        compressor().unwrap()(b"{}\n", &mut frame).unwrap();
        assert_eq!(frame[4] & 4, 4, "{frame:?}");
    }

    #[test]
    fn files_are_named_by_the_time_of_day() {
        for (seconds, name) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_782_907_200, "20260701T120000Z"),
            (4_102_444_799, "20991231T235959Z"),
        ] {
            let name_of = name_of(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(name_of, name);
            assert!(NAMES.read(&NAMES.name(&name_of, 1).name).is_some());
        }
    }
}
