//! Downloads of the country database from MaxMind (ops.md section 10).

use std::error::Error;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use faf_protocol::Secret;
use flate2::read::GzDecoder;
use maxminddb::Reader;
use md5::{Digest, Md5};

use crate::config::Settings;

/// The edition that FAF uses, which is also the name of the file in the archive.
const EDITION: &str = "GeoLite2-Country";

/// Time limit for a download. The archive has some five megabytes.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Size of the text with a checksum, at most.
const CHECKSUM_BYTES: u64 = 1024;

/// Number of files in the archive, at most. There are four.
const FILES: usize = 100;

/// Downloads the database when it is missing or old.
#[derive(Debug)]
pub(super) struct Downloads {
    path: PathBuf,
    url: String,
    licence_key: Secret,
    max_age: Duration,
    limits: Limits,
}

/// Sizes beyond which a download fails, in bytes.
#[derive(Debug, Clone, Copy)]
struct Limits {
    archive: u64,
    /// The content of the archive.
    content: u64,
}

/// A download that failed. Its text never contains the licence key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DownloadError(String);

impl Error for DownloadError {}

impl fmt::Display for DownloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Downloads {
    /// Downloads to the path of the settings; never without a path and a licence key.
    pub(super) fn new(settings: &Settings) -> Option<Self> {
        let path = settings.geoip_database.clone();
        let is_possible = !path.as_os_str().is_empty() && !settings.geoip_licence_key.reveal().is_empty();
        is_possible.then(|| Self {
            path,
            url: settings.geoip_url.clone(),
            licence_key: settings.geoip_licence_key.clone(),
            max_age: Duration::from_secs(u64::from(settings.geoip_max_age_days) * 86_400),
            limits: Limits { archive: 64 << 20, content: 256 << 20 },
        })
    }

    /// Returns whether the file is missing or too old.
    pub(super) fn is_due(&self) -> bool {
        let modified = std::fs::metadata(&self.path).and_then(|metadata| metadata.modified());
        let age = |modified| SystemTime::now().duration_since(modified).unwrap_or_default();
        modified.map_or(true, |modified| age(modified) > self.max_age)
    }

    /// Downloads the database, checks it, and puts it in the place of the old one, at once. Blocks
    /// the thread.
    ///
    /// # Errors
    /// [`DownloadError`]; the old file is then unchanged.
    pub(super) fn download(&self) -> Result<(), DownloadError> {
        self.try_download().map_err(|error| {
            // A library may quote the URL.
            DownloadError(error.to_string().replace(self.licence_key.reveal(), "***"))
        })
    }

    fn try_download(&self) -> Result<(), Box<dyn Error>> {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
        let get = |suffix: &str| {
            let request = agent.get(&self.url).query("edition_id", EDITION);
            request.query("license_key", self.licence_key.reveal()).query("suffix", suffix).call()
        };
        let expected = get("tar.gz.md5")?.body_mut().with_config().limit(CHECKSUM_BYTES).read_to_string()?;
        let archive = get("tar.gz")?.into_body().into_with_config().limit(self.limits.archive).reader();
        let mut archive = Hashed { inner: archive, hash: Md5::new() };
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::Builder::new()
            .prefix(".geoip-")
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(|error| format!("{}: no file can be made beside it: {error}", self.path.display()))?;
        self.unpack(&mut archive, file.as_file_mut())?;
        // The checksum is that of the whole archive.
        io::copy(&mut archive, &mut io::sink())?;
        let found: String = archive.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if !expected.trim().eq_ignore_ascii_case(&found) {
            return Err("the archive is damaged: its MD5 checksum is another one".into());
        }
        Reader::open_readfile(file.path())
            .map_err(|error| format!("it is not a country database: {error}"))?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }

    /// Copies the database from an archive into a file.
    fn unpack(&self, archive: &mut impl Read, file: &mut std::fs::File) -> Result<(), Box<dyn Error>> {
        let content = GzDecoder::new(archive).take(self.limits.content);
        let mut content = tar::Archive::new(content);
        let member = format!("{EDITION}.mmdb");
        for entry in content.entries()?.take(FILES) {
            let mut entry = entry?;
            if entry.header().entry_type().is_file() && entry.path()?.ends_with(&member) {
                let size = entry.size();
                if size > self.limits.content || io::copy(&mut entry, file)? != size {
                    return Err(format!("{member} in the archive is larger than any such database").into());
                }
                return Ok(());
            }
        }
        Err(format!("the archive has no {member}").into())
    }
}

/// Hashes everything that is read.
struct Hashed<R> {
    inner: R,
    hash: Md5,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    use faf_testkit::geoip::country_database;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Lines of requests, without the version of HTTP.
    type Requests = Arc<Mutex<Vec<String>>>;

    /// Starts a server with these replies, each a status and a body: for the checksum, and then for
    /// the archive.
    fn serve(replies: [(u16, Vec<u8>); 2]) -> (String, Requests) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/download", listener.local_addr().unwrap());
        let requests = Requests::default();
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let line = lines.next().unwrap_or_default();
                for _ in lines.by_ref().take_while(|line| !line.is_empty()) {}
                let (status, body) = &replies[usize::from(!line.contains("suffix=tar.gz.md5"))];
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                seen.lock().unwrap().push(line.trim_end_matches(" HTTP/1.1").to_owned());
                let _ = (&stream).write_all(&[head.as_bytes(), body].concat());
            }
        });
        (url, requests)
    }

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, *content).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    }

    fn checksum(archive: &[u8]) -> Vec<u8> {
        Md5::digest(archive).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
    }

    fn downloads(folder: &Path, url: String) -> Downloads {
        Downloads {
            path: folder.join("countries.mmdb"),
            url,
            licence_key: Secret::new("hunter2"),
            max_age: Duration::from_secs(86_400),
            limits: Limits { archive: 1 << 20, content: 1 << 20 },
        }
    }

    #[test]
    fn the_database_replaces_an_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let database = country_database([1, 1, 1, 1], "US");
        let archive = archive(&[("x/LICENSE.txt", b"text"), ("x/GeoLite2-Country.mmdb", &database)]);
        let (url, requests) = serve([(200, checksum(&archive)), (200, archive)]);
        let downloads = downloads(folder.path(), url);
        assert!(downloads.is_due());
        downloads.download().unwrap();
        assert_eq!(std::fs::read(&downloads.path).unwrap(), database);
        assert!(!downloads.is_due());
        let file = std::fs::File::options().write(true).open(&downloads.path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(86_500)).unwrap();
        assert!(downloads.is_due());
        let query = "edition_id=GeoLite2-Country&license_key=hunter2&suffix=tar.gz";
        let line = |suffix: &str| format!("GET /download?{query}{suffix}");
        assert_eq!(*requests.lock().unwrap(), [line(".md5"), line("")]);
        // No other file is left.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_download_that_fails_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let good = archive(&[("x/GeoLite2-Country.mmdb", &country_database([1, 1, 1, 1], "US"))]);
        let without = archive(&[("x/README.txt", b"text")]);
        let other = archive(&[("x/GeoLite2-Country.mmdb", b"not a database")]);
        let large = archive(&[("x/GeoLite2-Country.mmdb", &vec![0; 2 << 20])]);
        let later = archive(&[("x/a", &vec![0; 2 << 20]), ("x/GeoLite2-Country.mmdb", b"x")]);
        let endless = vec![0; 2 << 20];
        for (replies, problem) in [
            ([(200, checksum(b"other")), (200, good.clone())], "the archive is damaged"),
            ([(200, vec![b'a'; 2000]), (200, good.clone())], "limit"),
            ([(200, checksum(&without)), (200, without)], "the archive has no GeoLite2-Country.mmdb"),
            ([(200, checksum(&other)), (200, other)], "it is not a country database"),
            ([(200, checksum(&large)), (200, large)], "larger than any such database"),
            ([(200, checksum(&later)), (200, later)], ""),
            ([(200, checksum(&endless)), (200, endless)], ""),
            ([(401, Vec::new()), (200, good.clone())], "401"),
            ([(200, checksum(&good)), (500, Vec::new())], "500"),
        ] {
            let downloads = downloads(folder.path(), serve(replies).0);
            std::fs::write(&downloads.path, "old").unwrap();
            let error = downloads.download().unwrap_err();
            assert!(error.to_string().contains(problem), "{problem}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert_eq!(std::fs::read_to_string(&downloads.path).unwrap(), "old", "{problem}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{problem}");
        }
    }

    #[test]
    fn the_licence_key_is_in_no_error() {
        let folder = tempfile::tempdir().unwrap();
        for url in ["http://127.0.0.1:1/", "nonsense", "http://hunter2.invalid/", "ftp://127.0.0.1/"] {
            let error = downloads(folder.path(), url.to_owned()).download().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
