//! Clients who do something: they understand what they are told, and speak.
//!
//! An actor lives on the thread of its client. It reacts by putting messages and times into its
//! [`Cues`].

mod announcer;
mod evening;
mod lobby_host;
mod pinger;
mod retitler;

use std::fmt;
use std::time::{Duration, Instant};

use faf_bots::Rng;
use faf_protocol::Message;

pub(crate) use announcer::Announcer;
pub(crate) use evening::{Evening, Tempo};
pub(crate) use lobby_host::LobbyHost;
pub(crate) use pinger::Pinger;
pub(crate) use retitler::Retitler;

use crate::report::sample::Sample;

/// An order to all actors of a thread.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cue {
    /// Announcers tell everybody something of this size, so often.
    Announce { interval: Duration, size: usize },
    /// Hosts give their games a new title with every report.
    Retitle,
    /// Players who ping do so.
    Ping,
    /// From now on each ping has at least this many bytes.
    PingSize(usize),
    /// Those who host a lobby on demand do so.
    OpenLobby,
    /// They leave it.
    CloseLobby,
    /// The players of an evening begin.
    Play,
    /// Everybody stops.
    Silence,
}

/// The surroundings of an actor, and its reactions.
pub(crate) struct Cues<'a> {
    pub(crate) now: Instant,
    pub(crate) sample: &'a mut Sample,
    /// Messages to send, JSON.
    pub(crate) say: Vec<String>,
    /// When [`Actor::due`] is to be called next; an earlier request stays.
    pub(crate) wake: Option<Instant>,
    /// Log out, and in again after so long.
    pub(crate) leave: Option<Duration>,
    pub(crate) rng: &'a mut Rng,
}

/// A client who does something.
pub(crate) trait Actor: Send + fmt::Debug {
    /// The login is complete.
    fn logged_in(&mut self, _cues: &mut Cues) {}

    /// A message was received, also while the login goes on.
    fn hear(&mut self, _message: &Message, _cues: &mut Cues) {}

    /// The time has come that was asked for.
    fn due(&mut self, _cues: &mut Cues) {}

    /// All are told something.
    fn cue(&mut self, _cue: Cue, _cues: &mut Cues) {}
}
