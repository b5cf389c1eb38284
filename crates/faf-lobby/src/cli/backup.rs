//! `faf-lobby backup`.

use std::path::Path;

use super::print_line;
use crate::exit_code::{self, Failure};
use crate::store::embedded::{BackupError, back_up};

pub(super) fn run(database: &Path, copy: &Path) -> Result<(), Failure> {
    let size = back_up(database, copy).map_err(|error| {
        let code = match &error {
            BackupError::Database { .. } => exit_code::DATABASE,
            BackupError::Copy { .. } => exit_code::FAILURE,
        };
        Failure::new(code, error)
    })?;
    print_line(&format!("{} has been copied to {}, {size} bytes", database.display(), copy.display()));
    Ok(())
}
