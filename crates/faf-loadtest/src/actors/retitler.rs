//! A host who changes the title of the game with every report, so that every report contains that
//! game.

use faf_protocol::Message;
use serde_json::json;

use super::{Actor, ActorCommand, Context, uid};
use crate::messages::{game_command, game_host};
use crate::swarm::marker::stamp;

/// Approximate size of a `game_info` in bytes, without the map name, which occurs twice.
const ENVELOPE_BYTES: usize = 465;

/// Longest folder name that servers accept, in bytes.
const FOLDER_BYTES: usize = 240;

/// Hosts a game and, on command, gives it a new title as soon as the last one has been reported.
#[derive(Debug)]
pub(crate) struct Retitler {
    /// Name of the map, which pads each `game_info` to its size.
    map: String,
    game: Option<u64>,
    retitles: bool,
}

impl Retitler {
    /// Each `game_info` has about this many bytes, from 470 to 940.
    pub(crate) fn new(size: usize) -> Self {
        let padding = (size.saturating_sub(ENVELOPE_BYTES) / 2).clamp(1, FOLDER_BYTES);
        Self { map: "m".repeat(padding), game: None, retitles: false }
    }

    fn retitle(context: &mut Context) {
        context.send.push(game_command("GameOption", &json!(["Title", format!("{} all welcome", stamp())])));
        context.sample.said += 1;
    }
}

impl Actor for Retitler {
    fn logged_in(&mut self, context: &mut Context) {
        context.send.push(game_host("load", &self.map));
    }

    fn receive(&mut self, message: &Message, context: &mut Context) {
        match message.command().as_deref() {
            Some("game_launch") => self.game = context.start_game(message),
            Some("HostGame") => context.sample.games += 1,
            Some("game_info") if self.retitles && self.game.is_some() && uid(message) == self.game => {
                Self::retitle(context);
            }
            _ => {}
        }
    }

    fn on_command(&mut self, command: ActorCommand, context: &mut Context) {
        match command {
            ActorCommand::Retitle => {
                self.retitles = true;
                Self::retitle(context);
            }
            ActorCommand::Silence => self.retitles = false,
            _ => {}
        }
    }
}
