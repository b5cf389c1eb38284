//! Countries of addresses, from a MaxMind database (ops.md section 10).

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use faf_protocol::Country;
use maxminddb::{Reader, geoip2};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// How often the file is looked at for a newer one.
const FILE_CHECK: Duration = Duration::from_secs(600);

/// Knows countries. Reading a newer file holds up nobody.
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
    /// Knows nothing before the first [`read_file`](Self::read_file), and never anything if the path is empty.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, loaded: RwLock::new(None) }
    }

    /// The country, if it is known.
    pub(crate) fn of(&self, address: IpAddr) -> Country {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let code = loaded.as_ref().and_then(|Loaded { reader, .. }| {
            let country = reader.lookup(address).ok()?.decode::<geoip2::Country<'_>>().ok()??;
            country.country.iso_code?.parse().ok()
        });
        code.unwrap_or_default()
    }

    /// Reads the file whenever it has changed.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        loop {
            sleep(FILE_CHECK).await;
            self.read_file().await;
        }
    }

    /// Reads the file if it has changed, on a thread where nobody waits for it.
    pub(crate) async fn read_file(self: &Arc<Self>) {
        let countries = Arc::clone(self);
        // It fails only if the runtime ends.
        let _ = spawn_blocking(move || countries.refresh()).await;
    }

    /// Reads the file if it has changed; keeps what is known if that fails. Blocks the thread.
    fn refresh(&self) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        match self.read_newer() {
            Ok(None) => {}
            Ok(Some(newer)) => {
                *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(newer);
                tracing::info!("countries of addresses have been read");
            }
            Err(error) => {
                let path = self.path.display();
                tracing::warn!(%path, %error, "countries of addresses cannot be read; what is known stays");
            }
        }
    }

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
    fn without_a_file_nothing_is_known() {
        let countries = Countries::new(PathBuf::new());
        countries.refresh();
        assert_eq!(countries.of("1.1.1.1".parse().unwrap()), Country::UNKNOWN);
    }
}
