//! Clients with behaviour: they decode the messages that they receive, and send their own.
//!
//! An actor lives on the thread of its client. It reacts by putting messages and times into its
//! [`Context`].

mod announcer;
mod evening;
mod lobby_host;
mod pinger;
mod retitler;
mod searching;

use std::fmt;
use std::time::{Duration, Instant};

use faf_bots::Rng;
use faf_protocol::Message;
use serde_json::json;

pub(crate) use announcer::Announcer;
pub(crate) use evening::{Evening, Tempo};
pub(crate) use lobby_host::LobbyHost;
pub(crate) use pinger::Pinger;
pub(crate) use retitler::Retitler;
pub(crate) use searching::searchers_only;

use crate::messages::game_command;
use crate::report::sample::Sample;

/// A command to all actors of a thread.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ActorCommand {
    /// Announcers send a notice of `size` bytes at this interval.
    Announce { interval: Duration, size: usize },
    /// Hosts give their games a new title with every report.
    Retitle,
    /// Pingers begin to ping.
    Ping,
    /// Each ping has at least this many bytes from now on.
    PingSize(usize),
    /// Lobby hosts open their lobby.
    OpenLobby,
    /// Lobby hosts leave their lobby.
    CloseLobby,
    /// The players of an evening begin.
    Play,
    /// All actors stop.
    Silence,
}

/// Environment of an actor, and its reactions.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) sample: &'a mut Sample,
    /// Messages to send, as JSON.
    pub(crate) send: Vec<String>,
    /// Time of the next call of [`Actor::due`]; an earlier request stays.
    pub(crate) wake: Option<Instant>,
    /// Time after which the client logs in again, if it must log out now.
    pub(crate) leave: Option<Duration>,
    pub(crate) rng: &'a mut Rng,
}

impl Context<'_> {
    /// Starts the game process of a `game_launch`, and returns the game.
    fn start_game(&mut self, launch: &Message) -> Option<u64> {
        for state in ["Idle", "Lobby"] {
            self.send.push(game_command("GameState", &json!([state])));
        }
        uid(launch)
    }
}

/// Returns the game that a message is about.
fn uid(message: &Message) -> Option<u64> {
    message.get("uid")?.parse().ok()
}

/// Behaviour of a client.
pub(crate) trait Actor: Send + fmt::Debug {
    /// The login is complete.
    fn logged_in(&mut self, _context: &mut Context) {}

    /// A message was received; called during the login, too.
    fn receive(&mut self, _message: &Message, _context: &mut Context) {}

    /// The requested time has come.
    fn due(&mut self, _context: &mut Context) {}

    /// All actors receive a command.
    fn on_command(&mut self, _command: ActorCommand, _context: &mut Context) {}
}
