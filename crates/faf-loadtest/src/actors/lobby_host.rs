//! An honest player who pings and, when told to, hosts a lobby that others may join.

use std::time::Duration;

use faf_protocol::Message;
use serde_json::json;

use super::{Actor, Cue, Cues, Pinger};
use crate::report::sample::Lobby;
use crate::speech::{self, of_game};

/// Hosts a public lobby between [`Cue::OpenLobby`] and [`Cue::CloseLobby`], and pings as a
/// [`Pinger`] does.
#[derive(Debug)]
pub(crate) struct LobbyHost {
    pinger: Pinger,
    /// The account's number.
    me: u32,
    game: Option<u64>,
}

impl LobbyHost {
    /// The account of this number pings in this interval.
    pub(crate) fn new(me: u32, interval: Duration) -> Self {
        Self { pinger: Pinger::new(interval), me, game: None }
    }
}

impl Actor for LobbyHost {
    fn logged_in(&mut self, cues: &mut Cues) {
        self.game = None;
        self.pinger.logged_in(cues);
    }

    fn hear(&mut self, message: &Message, cues: &mut Cues) {
        match message.command().as_deref() {
            Some("game_launch") => {
                self.game = message.get("uid").and_then(|uid| uid.parse().ok());
                cues.say.push(of_game("GameState", &json!(["Idle"])));
                cues.say.push(of_game("GameState", &json!(["Lobby"])));
            }
            Some("HostGame") => {
                cues.sample.lobbies.extend(self.game.map(|game| Lobby { game, host: self.me }));
            }
            _ => self.pinger.hear(message, cues),
        }
    }

    fn due(&mut self, cues: &mut Cues) {
        self.pinger.due(cues);
    }

    fn cue(&mut self, cue: Cue, cues: &mut Cues) {
        match cue {
            Cue::OpenLobby => cues.say.push(speech::game_host("all welcome", "scmp_007").to_string()),
            Cue::CloseLobby if self.game.take().is_some() => {
                cues.say.push(of_game("GameState", &json!(["Ended"])));
            }
            _ => self.pinger.cue(cue, cues),
        }
    }
}
