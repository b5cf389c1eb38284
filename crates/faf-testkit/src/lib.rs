//! Test support for the workspace: facts recorded from the original server, a lobby in simulated
//! time, and made-up evenings of searches.

pub mod chaos;
pub mod clients;
pub mod conformance;
pub mod decoding;
pub mod geoip;
pub mod golden;
pub mod lobby;
pub mod login_probe;
pub mod population;
pub mod queues;
pub mod recorded_evening;
pub mod season;
pub mod services;
pub mod serving;
pub mod simulation;
pub mod store;
pub mod token;
