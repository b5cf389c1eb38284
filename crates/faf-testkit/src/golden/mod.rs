//! The recorded facts in the folder `golden/` of the repository, whose README files say what they are, or in another
//! folder of the same layout.
//!
//! The environment variable `FAF_GOLDEN` names that other folder; a relative path begins at the root of the repository.
//! Whatever files are in its folders are read, whatever their names; what it lacks is not tested, which is said on
//! standard error. Every test that reads golden data finds it through this module.

use std::io::Write;
use std::path::{Path, PathBuf};

pub mod renaming;
pub mod sessions;
pub mod wire;

/// The variable that names the folder.
const VARIABLE: &str = "FAF_GOLDEN";

/// The database the sessions were recorded on.
pub const SEED: &str = "seed-data.json";

/// Where the facts are.
///
/// # Panics
/// If there is no such folder: a test that needs it must not pass without it.
#[must_use]
pub fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Joined to an absolute path, the root goes away.
    let folder = root.join(std::env::var_os(VARIABLE).unwrap_or_else(|| "golden".into()));
    assert!(folder.is_dir(), "golden data is missing: {} is no folder", folder.display());
    folder
}

/// Whether the facts are those of the repository: these are complete, and every listed difference occurs in them.
#[must_use]
pub fn is_own() -> bool {
    std::env::var_os(VARIABLE).is_none()
}

/// The files of one folder with this ending, sorted by name. There are none if the folder is missing in a set that is
/// not the repository's.
///
/// # Panics
/// If the folder cannot be read, or has no such file.
#[must_use]
pub fn files(name: &str, ending: &str) -> Vec<PathBuf> {
    let folder = folder().join(name);
    if !is_own() && !folder.exists() {
        // Past what captures the output of tests that pass.
        let _ =
            writeln!(std::io::stderr(), "{VARIABLE} has no folder {name}: its kind of facts is not tested");
        return Vec::new();
    }
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths =
        entries.map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == ending)).collect();
    assert!(!files.is_empty(), "{} has no file that ends in .{ending}", folder.display());
    files.sort();
    files
}

/// The file with the database the sessions were recorded on: the repository's, if another set has none.
///
/// # Panics
/// If it is missing.
#[must_use]
pub fn seed() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(SEED);
    let seed = folder().join(SEED);
    if !is_own() && !seed.exists() {
        let _ = writeln!(std::io::stderr(), "{VARIABLE} has no {SEED}: the repository's is used");
        return own;
    }
    assert!(seed.exists(), "golden data is missing: {}", seed.display());
    seed
}

/// The text of a file.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
