//! Countries of addresses, from a MaxMind database (ops.md section 10).

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use faf_protocol::Country;
use maxminddb::{Reader, geoip2};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Time between two checks whether the file has changed.
const FILE_CHECK: Duration = Duration::from_secs(600);

/// Countries by address. Lookups go on while a newer file is being read.
#[derive(Debug)]
pub(crate) struct Countries {
    path: PathBuf,
    loaded: RwLock<Option<Loaded>>,
}

#[derive(Debug)]
struct Loaded {
    reader: Reader<Vec<u8>>,
    modified: SystemTime,
}

impl Countries {
    /// Every country is unknown until the first [`read_file`](Self::read_file), and always if the
    /// path is empty.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, loaded: RwLock::new(None) }
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

    /// Reads the file again whenever it has changed. Returns at once if the path is empty, and
    /// never otherwise.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        loop {
            sleep(FILE_CHECK).await;
            self.read_file().await;
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
        match self.read_newer() {
            Ok(None) => {}
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

    #[test]
    fn countries_are_read_from_the_file_and_survive_a_damaged_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), country_database([1, 1, 1, 1], "US")).unwrap();
        let countries = Countries::new(file.path().to_owned());
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
        let countries = Countries::new(PathBuf::new());
        countries.refresh();
        assert_eq!(countries.of("1.1.1.1".parse().unwrap()), Country::UNKNOWN);
    }
}
