//! Inputs and outputs of the lobby, as plain data.

mod closing;
mod conn;
mod effect;
mod event;
mod log;
mod metric;
mod publication;
mod queue_event;
mod records;
pub mod request;

pub use closing::*;
pub use conn::*;
pub use effect::*;
pub use event::*;
pub use log::*;
pub use metric::*;
pub use publication::*;
pub use queue_event::*;
pub use records::*;
pub use request::*;
