//! FAF's RabbitMQ as the broker of the lobby server.
//!
//! ```text
//!   Delivery   messages that must not be lost, in lanes  --+
//!              confirmed one by one                        |      one connection at a time:
//!   Reporter   reports that may be lost, bounded ----------+-->   supervisor.rs opens it, watches
//!                                                          |      it, and opens the next one
//!   Inbox      messages of other services    <-------------+
//! ```
//!
//! * `connection.rs` opens a connection and declares the exchange; `supervisor.rs` keeps one open.
//! * `delivery.rs` publishes the messages of the outbox, `lanes.rs` keeps their order.
//! * `reports.rs` publishes reports.
//! * `consumers.rs` declares the server's own queues and consumes them, `incoming.rs` reads the
//!   messages, `pace.rs` bounds their rate.
//! * `state.rs` and `counters.rs` tell operators how it goes.
//!
//! The exchange and the queues are those of ops.md section 11. Queues of other services are never
//! declared: with other arguments than theirs, they could not declare them any more.
//!
//! The library is lapin: it returns the confirmation of each message as a future. amqprs, the
//! alternative, reports delivery tags to a callback of the channel, and its `basic_publish` does
//! not return the tag of a message.

mod broker;
mod connection;
mod consumers;
mod counters;
mod delivery;
mod incoming;
mod lanes;
mod pace;
mod pauses;
mod reports;
mod settings;
mod state;
mod supervisor;

pub use broker::{Broker, Reporter};
pub use consumers::Inbox;
pub use counters::{Counters, KEYS, KeyCounts};
pub use delivery::{Away, Delivery, Outgoing};
pub use incoming::{BODY_LIMIT, Incoming};
pub use settings::{Password, Settings, TimeLimits};
pub use state::State;
