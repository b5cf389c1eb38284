//! FAF's MariaDB as a database of the lobby server.
