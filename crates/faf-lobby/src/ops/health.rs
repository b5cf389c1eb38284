//! Health of the database: the server writes to it and checks it periodically, not on
//! every request.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::store::embedded::Files;
use crate::store::{Database, Store};

/// Time between two checks.
const PERIOD: Duration = Duration::from_secs(2);

/// Time limit for writing a row. It is longer than the database waits for a lock of another
/// process, so that the reported problem has a name.
const WRITE_TIMEOUT: Duration = Duration::from_secs(6);

/// Pause after a check of the whole database, as a multiple of the time it took: the checks take at
/// most a hundredth of a processor.
const PAUSE_FACTOR: u32 = 100;

/// Problems of the database that were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Reason why nothing can be written, or a notice that the file was moved.
    writing: Option<String>,
    /// Damage to the content.
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
    pub(crate) async fn watch(self, store: Store, database: Database) {
        tokio::join!(self.write(&store, &database), self.examine(&store, &database));
    }

    /// Writes to the database repeatedly, and checks its file if it has one.
    async fn write(&self, store: &Store, database: &Database) {
        let mut files: Option<Files> = None;
        loop {
            let written = {
                let mut beat = pin!(store.beat());
                match timeout(WRITE_TIMEOUT, beat.as_mut()).await {
                    Ok(written) => written,
                    Err(_) => {
                        self.found(
                            |findings| &mut findings.writing,
                            Some("it does not accept writes".to_owned()),
                        );
                        beat.await
                    }
                }
            };
            let problem = match written {
                Err(error) => Some(format!("nothing can be written: {}", error.problem())),
                Ok(()) => match &files {
                    Some(files) => files.problem(),
                    None => match store.files(database) {
                        Ok(found) => {
                            files = found;
                            None
                        }
                        Err(error) => Some(format!("{database} cannot be checked: {error}")),
                    },
                },
            };
            self.found(|findings| &mut findings.writing, problem);
            sleep(PERIOD).await;
        }
    }

    async fn examine(&self, store: &Store, database: &Database) {
        let examiner = match store.examiner(database) {
            Ok(Some(examiner)) => examiner,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, "the database cannot be examined");
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
            sleep(PERIOD.max(began.elapsed() * PAUSE_FACTOR)).await;
        }
    }

    /// Records a finding, and logs changes.
    fn found(&self, which: impl FnOnce(&mut Findings) -> &mut Option<String>, problem: Option<String>) {
        self.findings.send_if_modified(|findings| {
            let before = findings.problem().map(str::to_owned);
            *which(findings) = problem;
            let now = findings.problem();
            let has_changed = now != before.as_deref();
            match now {
                Some(problem) if has_changed => tracing::error!(problem, "the database has a problem"),
                None if has_changed => tracing::info!("the database works again"),
                _ => {}
            }
            has_changed
        });
    }
}
