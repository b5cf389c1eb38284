//! How many files the process may open, and so how many connections there may be.

use crate::http;
use crate::turned_away::FAREWELLS;

/// Files that are open besides connections: the database, listeners, the log, recordings, questions to other services.
const OTHER_FILES: usize = 100;

/// Raises the limit of open files as far as it is allowed and needed; answers how many connections fit, at most as many as
/// are wanted.
///
/// The rest is for the HTTP interface, for those who are told that they are turned away, and for [`OTHER_FILES`]: clients
/// alone never bring it about that no file can be opened any more, when neither the database nor operators could go on.
pub(crate) fn connections_that_fit(wanted: usize) -> usize {
    let reserve = OTHER_FILES + http::CONNECTIONS + FAREWELLS;
    let needed = (wanted + reserve) as u64;
    let limit = match rlimit::increase_nofile_limit(needed) {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised");
            rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(needed, |(soft, _)| soft)
        }
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let connections = share(limit, reserve).min(wanted);
    if connections < wanted {
        tracing::warn!(
            connections,
            wanted,
            open_files = limit,
            "there can be fewer connections than connection_limit, as the process may open so few files; see `ulimit -n`"
        );
    }
    connections
}

/// What connections may take of so many files; where the reserve would leave little, a third.
fn share(files: usize, reserve: usize) -> usize {
    files.saturating_sub(reserve).max(files / 3).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_reserve_or_two_thirds() {
        for (files, connections) in [(0, 1), (64, 21), (300, 100), (600, 400), (1_048_576, 1_048_376)] {
            assert_eq!(share(files, 200), connections);
        }
    }

    #[test]
    fn no_more_connections_fit_than_are_wanted() {
        assert_eq!(connections_that_fit(3), 3);
    }
}
