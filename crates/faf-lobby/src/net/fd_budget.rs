//! Divides the file descriptors of the process, which bounds the number of connections.

use crate::net::rejection::MAX_REJECTIONS;
use crate::ops::http;

/// Descriptors for everything but connections: the database, listeners, the log, recordings,
/// requests to other services.
const OTHER_FDS: usize = 100;

/// Descriptors that are not used for connections of clients.
const RESERVED_FDS: usize = OTHER_FDS + http::CONNECTIONS + MAX_REJECTIONS;

/// Number of descriptors that each purpose may use at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FdBudget {
    /// Connections of clients.
    pub(crate) connections: usize,
    /// Rejected clients that are being sent the reason.
    pub(crate) rejections: usize,
    /// Connections to the HTTP interface, for each of its addresses.
    pub(crate) http: usize,
}

impl FdBudget {
    /// Raises the limit of open files as far as allowed and needed, and divides it. Connections get
    /// the `wanted` number if that fits.
    ///
    /// The reserve for other purposes keeps clients from using up all descriptors, which would stop
    /// the database and lock operators out.
    pub(crate) fn for_connections(wanted: usize) -> Self {
        let needed = (wanted + RESERVED_FDS) as u64;
        let limit = match rlimit::increase_nofile_limit(needed) {
            Ok(limit) => limit,
            Err(error) => {
                tracing::warn!(%error, "cannot raise the limit of open files");
                rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(needed, |(soft, _)| soft)
            }
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let budget = Self::of(limit, wanted);
        if budget.connections < wanted {
            tracing::info!(
                connections = budget.connections,
                wanted,
                open_files = limit,
                "connection_limit is lowered to fit the limit of open files; see `ulimit -n`"
            );
        }
        budget
    }

    /// Divides this many descriptors. Connections get at least a third: if the reserve would leave
    /// them less, the other purposes get less.
    fn of(fds: usize, wanted: usize) -> Self {
        let connections = fds.saturating_sub(RESERVED_FDS).max(fds / 3).clamp(1, wanted.max(1));
        let few = (fds / 8).max(1);
        Self { connections, rejections: MAX_REJECTIONS.min(few), http: http::CONNECTIONS.min(few) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_reserve() {
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
