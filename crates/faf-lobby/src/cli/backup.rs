//! `faf-lobby backup`.

use std::path::Path;

use super::print_line;
use crate::exit_code::{self, Failure};
use crate::store::Database;
use crate::store::embedded::BackupError;

pub(super) fn run(database: &Database, copy: &Path) -> Result<(), Failure> {
    let size = database.back_up(copy).map_err(|error| {
        let code = match &error {
            BackupError::Database { .. } => exit_code::DATABASE,
            BackupError::Copy { .. } => exit_code::FAILURE,
        };
        Failure::new(code, error)
    })?;
    print_line(&format!("{database} has been copied to {}, {size} bytes", copy.display()));
    Ok(())
}
