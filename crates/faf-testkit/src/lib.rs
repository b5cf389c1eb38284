//! Test support for the workspace: facts recorded from the original server, and what is needed to compare with them.

pub mod golden;
