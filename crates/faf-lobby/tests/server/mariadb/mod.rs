//! The whole server on FAF's MariaDB, with real processes.

mod checks;
mod faults;
mod kills;
mod parts;
mod players;
