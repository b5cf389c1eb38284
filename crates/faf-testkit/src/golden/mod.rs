//! The golden data: recorded facts in the folder `golden/` of the repository, described by its
//! README files, or in another folder of the same layout.
//!
//! The environment variable `FAF_GOLDEN` names another folder; a relative path starts at the root
//! of the repository. All files in its folders are read, whatever their names. Anything it lacks is
//! not tested, which is reported on standard error. Every test that reads golden data finds it
//! through this module.

use std::io::Write;
use std::path::{Path, PathBuf};

pub mod renaming;
pub mod sessions;
pub mod wire;

/// Environment variable that names the folder.
const VARIABLE: &str = "FAF_GOLDEN";

/// File with the database on which the sessions were recorded.
pub const SEED: &str = "seed-data.json";

/// Returns the folder with the golden data.
///
/// # Panics
/// If it does not exist: a test that needs golden data must not pass without it.
#[must_use]
pub fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Joining an absolute path drops the root.
    let folder = root.join(std::env::var_os(VARIABLE).unwrap_or_else(|| "golden".into()));
    assert!(folder.is_dir(), "golden data is missing: {} is not a folder", folder.display());
    folder
}

/// Returns whether the golden data is the repository's own. That set is complete, and every listed
/// difference occurs in it.
#[must_use]
pub fn is_own() -> bool {
    std::env::var_os(VARIABLE).is_none()
}

/// Returns the files of one folder with this extension, sorted by name. A set other than the
/// repository's may lack the folder; then there are none.
///
/// # Panics
/// If the folder cannot be read, or has no such file.
#[must_use]
pub fn files(name: &str, ending: &str) -> Vec<PathBuf> {
    let folder = folder().join(name);
    if !is_own() && !folder.exists() {
        // Written directly, because the output of tests that pass is captured.
        let _ =
            writeln!(std::io::stderr(), "{VARIABLE} has no folder {name}: facts of this kind are not tested");
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

/// Returns the file with the database on which the sessions were recorded: the repository's, if
/// another set has none.
///
/// # Panics
/// If the file is missing.
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

/// Returns the text of a file.
///
/// # Panics
/// If the file cannot be read.
#[must_use]
pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
