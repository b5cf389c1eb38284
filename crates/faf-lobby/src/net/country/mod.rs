//! Countries of addresses, from a MaxMind database (ops.md section 10).

mod download;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use faf_protocol::Country;
use maxminddb::{Reader, geoip2};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use self::download::Downloads;
use crate::config::Settings;

/// Time between two checks whether the file has changed.
const FILE_CHECK: Duration = Duration::from_secs(600);

/// Time between two checks whether the database is so old that it must be downloaded.
const AGE_CHECK: Duration = Duration::from_secs(24 * 3600);

/// Time until the next attempt after a download that failed. MaxMind allows some thirty a day.
const RETRY_PAUSE: Duration = Duration::from_secs(6 * 3600);

/// Countries by address. Lookups go on while a newer file is being read.
#[derive(Debug)]
pub(crate) struct Countries {
    path: PathBuf,
    loaded: RwLock<Option<Loaded>>,
    /// The last problem with the file, which is logged once.
    problem: Mutex<String>,
    downloads: Option<Downloads>,
}

#[derive(Debug)]
struct Loaded {
    reader: Reader<Vec<u8>>,
    modified: SystemTime,
}

impl Countries {
    /// Every country is unknown until the first [`read_file`](Self::read_file), and always if the
    /// path is empty.
    pub(crate) fn new(settings: &Settings) -> Self {
        let (path, downloads) = (settings.geoip_database.clone(), Downloads::new(settings));
        Self { path, loaded: RwLock::default(), problem: Mutex::default(), downloads }
    }

    /// Returns the country of an address, or the unknown country.
    pub(crate) fn of(&self, address: IpAddr) -> Country {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let code = loaded.as_ref().and_then(|Loaded { reader, .. }| {
            let country = reader.lookup(address).ok()?.decode::<geoip2::Country<'_>>().ok()??;
            country.country.iso_code?.parse().ok()
        });
        code.unwrap_or_default()
    }

    /// Reads the file again whenever it has changed, and downloads it when it is missing or old.
    /// Returns at once if the path is empty, and never otherwise.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        let mut next_download = Instant::now();
        loop {
            if self.downloads.is_some() && Instant::now() >= next_download {
                next_download = Instant::now() + self.download_if_due().await;
                self.read_file().await;
            }
            sleep(FILE_CHECK).await;
            self.read_file().await;
        }
    }

    /// Downloads the file if it is missing or old, on a thread for blocking work. Returns the time
    /// until the next check.
    async fn download_if_due(self: &Arc<Self>) -> Duration {
        let countries = Arc::clone(self);
        let download = move || match &countries.downloads {
            Some(downloads) if downloads.is_due() => downloads.download(),
            _ => Ok(()),
        };
        match spawn_blocking(download).await {
            Ok(Err(error)) => {
                tracing::warn!(%error, "the countries of addresses cannot be downloaded; trying again in six hours");
                RETRY_PAUSE
            }
            // It fails only if the runtime ends.
            Ok(Ok(())) | Err(_) => AGE_CHECK,
        }
    }

    /// Reads the file if it has changed, on a thread for blocking work.
    pub(crate) async fn read_file(self: &Arc<Self>) {
        let countries = Arc::clone(self);
        // It fails only if the runtime ends.
        let _ = spawn_blocking(move || countries.refresh()).await;
    }

    /// Reads the file if it has changed. Keeps the countries read before if that fails. Blocks
    /// the thread.
    fn refresh(&self) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        let read = self.read_newer();
        let problem = read.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let mut known = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = std::mem::replace(&mut *known, problem.clone()) == problem;
        match read {
            Ok(None) => {}
            Err(_) if is_known => {}
            Ok(Some(newer)) => {
                *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(newer);
                tracing::info!("read the countries of addresses");
            }
            Err(error) => {
                let path = self.path.display();
                tracing::warn!(%path, %error, "cannot read the countries of addresses; keeping those read before");
            }
        }
    }

    /// Returns the content of the file, or `None` if it is the one read before.
    fn read_newer(&self) -> Result<Option<Loaded>, Box<dyn std::error::Error>> {
        let modified = std::fs::metadata(&self.path)?.modified()?;
        let known = self.loaded.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|l| l.modified);
        if known == Some(modified) {
            return Ok(None);
        }
        let reader = Reader::open_readfile(&self.path)?;
        Ok(Some(Loaded { reader, modified }))
    }
}

#[cfg(test)]
mod tests {
    use faf_testkit::geoip::country_database;

    use super::*;

    fn countries(geoip_database: PathBuf) -> Countries {
        Countries::new(&Settings { geoip_database, ..Settings::default() })
    }

    #[test]
    fn countries_are_read_from_the_file_and_survive_a_damaged_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), country_database([1, 1, 1, 1], "US")).unwrap();
        let countries = countries(file.path().to_owned());
        let of = |address: &str| countries.of(address.parse().unwrap()).to_string();
        assert_eq!(of("1.1.1.1"), "");
        countries.refresh();
        assert_eq!([of("1.1.1.1"), of("1.1.1.2"), of("::1")], ["US", "", ""]);
        std::fs::write(file.path(), "damaged").unwrap();
        countries.refresh();
        assert_eq!(of("1.1.1.1"), "US");
    }

    #[test]
    fn without_a_file_every_country_is_unknown() {
        let countries = countries(PathBuf::new());
        countries.refresh();
        assert_eq!(countries.of("1.1.1.1".parse().unwrap()), Country::UNKNOWN);
    }
}
