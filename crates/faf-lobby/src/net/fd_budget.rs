//! How many files the process may open, and so how many connections there may be.

use crate::net::rejection::MAX_REJECTIONS;
use crate::ops::http;

/// Files that are open besides connections: the database, listeners, the log, recordings, questions to other services.
const OTHER_FDS: usize = 100;

/// What is not for connections.
const RESERVED_FDS: usize = OTHER_FDS + http::CONNECTIONS + MAX_REJECTIONS;

/// How many files there may be at the same time for each purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FdBudget {
    /// Connections of clients.
    pub(crate) connections: usize,
    /// Clients that are told that they are turned away.
    pub(crate) rejections: usize,
    /// Connections to the HTTP interface, for each of its addresses.
    pub(crate) http: usize,
}

impl FdBudget {
    /// Raises the limit of open files as far as it is allowed and needed, and divides it, for as many connections as are
    /// wanted if they fit.
    ///
    /// So clients alone never bring it about that no file can be opened any more, when neither the database nor operators
    /// could go on.
    pub(crate) fn for_connections(wanted: usize) -> Self {
        let needed = (wanted + RESERVED_FDS) as u64;
        let limit = match rlimit::increase_nofile_limit(needed) {
            Ok(limit) => limit,
            Err(error) => {
                tracing::warn!(%error, "the limit of open files cannot be raised");
                rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(needed, |(soft, _)| soft)
            }
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let fd_budget = Self::of(limit, wanted);
        if fd_budget.connections < wanted {
            tracing::info!(
                connections = fd_budget.connections,
                wanted,
                open_files = limit,
                "there can be fewer connections than connection_limit, as the process may open so few files; see \
                 `ulimit -n`"
            );
        }
        fd_budget
    }

    /// Where the reserve would leave little to connections, they get a third, and the others less than they would have.
    fn of(files: usize, wanted: usize) -> Self {
        let connections = files.saturating_sub(RESERVED_FDS).max(files / 3).clamp(1, wanted.max(1));
        let few = (files / 8).max(1);
        Self { connections, rejections: MAX_REJECTIONS.min(few), http: http::CONNECTIONS.min(few) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_a_reserve() {
        for (files, connections, rejections, http) in [
            (0, 1, 1, 1),
            (64, 21, 8, 8),
            (300, 100, 37, 37),
            (628, 400, 64, 64),
            (1_048_576, 50_000, 64, 64),
        ] {
            assert_eq!(FdBudget::of(files, 50_000), FdBudget { connections, rejections, http });
        }
        assert_eq!(FdBudget::for_connections(3).connections, 3);
    }
}
