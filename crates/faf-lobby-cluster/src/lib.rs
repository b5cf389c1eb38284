//! A lobby of several processes, as pure state machines.
//!
//! ```text
//!  clients --> Link (gateway 1) --\                        /--> Link (gateway 1) --> clients
//!  clients --> Link (gateway 2) ---+--> stream of inputs --+--> Core A: leads, sends effects
//!                                                          \--> Core B: follows
//! ```
//!
//! The stream gives all inputs one order. Every [`Core`] applies them to its [`Replica`], so all of
//! them have the same world. One core, the leader, sends its effects to the gateways and makes the
//! requests of the world. A [`Link`] performs the effects of its gateway, each once and in order,
//! also if the leader changes.
//!
//! No socket, clock or thread is in here. `faf-lobby` connects these machines to NATS; the
//! simulation of `faf-testkit` connects them to a network that loses, repeats and delays.
//!
//! | file | content |
//! | --- | --- |
//! | `message.rs` | what is in the stream |
//! | `sequencer.rs` | batches of a sender: each once, in order |
//! | `replica.rs` | the world, the gateways, open requests: what all cores have alike |
//! | `clock.rs` | time, as the stream has it |
//! | `line.rs` | the effects of a gateway, numbered and kept until it has them |
//! | `effect.rs`, `packet.rs`, `packets.rs`, `lists.rs` | effects as they travel |
//! | `core.rs` | who leads; what a leader does |
//! | `gateway.rs` | what a gateway does |
//! | `state_hash.rs` | whether two replicas are equal |
//! | `snapshot.rs` | a replica as bytes |

mod clock;
mod core;
mod effect;
mod gateway;
mod ids;
mod line;
mod lists;
mod message;
mod packet;
mod packets;
mod replica;
mod sequencer;
mod snapshot;
mod state_hash;

pub use clock::LONGEST_STEP;
pub use core::{Core, CoreOutput, CoreRole, CoreSettings, Divergence};
pub use effect::{GatewayEffect, Receivers};
pub use gateway::{EndReason, HEARTBEAT, Link, LinkOutput};
pub use ids::{CoreName, Epoch, GatewayId, Nonce, WorldId};
pub use message::{CoreInput, FORMAT, Ignored, StreamMessage};
pub use packet::{MissingEffects, Packet, PacketContent};
pub use replica::{Follower, GATEWAY_TIMEOUT, GatewayState, OpenRequest, Output, RawPiece, Replica};
pub use snapshot::{Snapshot, SnapshotError};
pub use state_hash::Parts;
