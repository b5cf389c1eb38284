//! The FAF lobby as a pure state machine.
//!
//! ```text
//!                 handle(now, Event)
//!   the shell  ----------------------->  World
//!   sockets,   handle_timeout(now)       sessions, players,
//!   database,  ----------------------->  games, requests,
//!   clock      <-----------------------  timers
//!                 poll_effect()
//!                 next_deadline()
//! ```
//!
//! No socket, clock, thread or database is in here, and chance comes from a seed: the same events
//! at the same times give the same effects. See [`World`] for how to drive it.
//!
//! The code stands on three floors, and each calls only those below it:
//!
//! ```text
//!   driver      world.rs       takes in events and time, hands out effects
//!               dispatch.rs    runs commands, resumes them when replies come; decides who is read
//!   ----------------------------------------------------------------------------------------------
//!   commands    commands/      a file for each command of clients, and the table of all
//!               game_commands/ the same for game processes
//!   rules       connections/   how connections open, are paced and end
//!               sign_in/       from credentials to a player who is online
//!               games/         who sees a game, gets in and out; launch, end, storage
//!               parties/       who searches together
//!               queues/        searches, and the rounds that make matches of them
//!               matches/       from a match to the launch of its game, or to its failure
//!   ----------------------------------------------------------------------------------------------
//!   state       state/         the Lobby: players, sessions, games, pending requests, timers
//!               snapshots/     the lists that a fresh login is sent
//!               io/            events, effects, requests and their replies, log lines, metrics
//!   pure        ratings/ results/ validity/ statistics/ game_options/ matchmaking/
//! ```
//!
//! A rule that finishes the command of another connection does not call the dispatcher: it leaves
//! the connection in `Lobby::released`, which the dispatcher drains after each input.

mod client_text;
mod clock;
mod commands;
mod connections;
mod dispatch;
mod explanation;
mod game_commands;
pub mod game_options;
mod games;
mod io;
pub mod maps;
mod matches;
pub mod matchmaking;
mod network;
mod other_services;
mod parties;
mod queues;
pub mod ratings;
mod recorded;
mod refusal;
pub mod results;
mod settings;
mod sign_in;
mod snapshots;
mod state;
pub mod statistics;
mod texts;
pub mod validity;
mod world;

pub use client_text::{Escaped, escaped, is_allowed_in_name, is_legible};
pub use clock::{Moment, Timestamp};
pub use explanation::{Decision, MatchMade, MatchedSearch, WeighedMap};
pub use io::request;
pub use io::{
    Account, ArmyResult, Audience, AvatarNotGranted, Ban, Busy, Closing, ClosingReasons, ConnId,
    Contradiction, Count, Effect, Event, GamePublications, GameResults, HoldReason, JoinAttempt, Like,
    LogLine, LoginMethod, MapVersion, MatchOutcome, Permission, Popped, PoppedSearch, Profile, Publication,
    QueueEvent, RatingUpdate, Relation, Reply, ReplyTo, Request, RequestId, RequestKind, SHUTTING_DOWN,
    SearchId, TeamResults, Ticket, TokenFault, Unavailable, UnknownMod, UnknownPlayer, VaultMod,
};
pub use network::{Network, network};
pub use recorded::{RecordedMatch, refusal as recorded_refusal};
pub use settings::Settings;
pub use snapshots::{SnapshotId, SnapshotList, size as lists};
pub use state::{
    ClientProgram, CommandClass, FailedLogins, Game, GameData, GameEnd, GameLaunched, GameState, GameWrite,
    InitialState, Limit, LivePlayer, Note, PlayerResult, Queue, RatedGame, SavedQueues, SavedSearch,
};
pub use world::World;
