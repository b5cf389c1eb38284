//! The whole server on FAF's MariaDB, with real processes.

mod faults;
mod kills;
mod parts;
