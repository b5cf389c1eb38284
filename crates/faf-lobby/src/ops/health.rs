//! Whether the server can do its work: it writes to its database and checks it from time to time, not at
//! every request.

use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::store::Store;
use crate::store::embedded::Files;

/// Time between two checks.
const PERIOD: Duration = Duration::from_secs(2);

/// How long the database may take to write a row. Longer than it waits for a lock of another process, so that
/// the problem has a name.
const PATIENCE: Duration = Duration::from_secs(6);

/// The pause after a check of the whole database, as a multiple of the time it took: the checks take a
/// hundredth of a processor at most.
const SHARE: u32 = 100;

/// What is wrong with the database, if anything is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// What prevents writing to it, or whether its file was moved.
    writing: Option<String>,
    /// What is wrong with its content.
    content: Option<String>,
}

impl Findings {
    /// Returns the worst problem.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.writing.as_deref().or(self.content.as_deref())
    }
}

/// Watches the database until this is dropped.
#[derive(Debug)]
pub(crate) struct Health {
    findings: watch::Sender<Findings>,
}

impl Health {
    /// A database that was just opened has no problem.
    pub(crate) fn new() -> Self {
        Self { findings: watch::Sender::default() }
    }

    /// Returns the findings, which change over time.
    pub(crate) fn findings(&self) -> watch::Receiver<Findings> {
        self.findings.subscribe()
    }

    /// Checks the database forever.
    pub(crate) async fn watch(self, store: Store, path: std::path::PathBuf) {
        tokio::join!(self.write(&store, &path), self.examine(&store, &path));
    }

    /// Writes to the database again and again, and looks at its file, if it has one.
    async fn write(&self, store: &Store, path: &Path) {
        let mut files: Option<Files> = None;
        loop {
            let written = {
                let mut beat = pin!(store.beat());
                match timeout(PATIENCE, beat.as_mut()).await {
                    Ok(written) => written,
                    Err(_) => {
                        self.found(
                            |findings| &mut findings.writing,
                            Some("it does not take anything".to_owned()),
                        );
                        beat.await
                    }
                }
            };
            let problem = match written {
                Err(error) => Some(format!("nothing can be written: {}", error.problem())),
                Ok(()) => match &files {
                    Some(files) => files.problem(),
                    None => match store.files(path) {
                        Ok(found) => {
                            files = found;
                            None
                        }
                        Err(error) => Some(format!("{} cannot be looked at: {error}", path.display())),
                    },
                },
            };
            self.found(|findings| &mut findings.writing, problem);
            sleep(PERIOD).await;
        }
    }

    async fn examine(&self, store: &Store, path: &Path) {
        let examiner = match store.examiner(path) {
            Ok(Some(examiner)) => examiner,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, "the database is not examined");
                return;
            }
        };
        loop {
            let began = Instant::now();
            let problem = match examiner.examine().await {
                Ok(finding) => finding.map(|finding| format!("it is damaged: {finding}; restore a backup")),
                Err(error) => Some(format!("it cannot be read: {}", error.problem())),
            };
            self.found(|findings| &mut findings.content, problem);
            sleep(PERIOD.max(began.elapsed() * SHARE)).await;
        }
    }

    /// Notes a finding, and logs changes.
    fn found(&self, which: impl FnOnce(&mut Findings) -> &mut Option<String>, problem: Option<String>) {
        self.findings.send_if_modified(|findings| {
            let before = findings.problem().map(str::to_owned);
            *which(findings) = problem;
            let now = findings.problem();
            let has_changed = now != before.as_deref();
            match now {
                Some(problem) if has_changed => tracing::error!(problem, "the database is not well"),
                None if has_changed => tracing::info!("the database is well again"),
                _ => {}
            }
            has_changed
        });
    }
}
