//! A host who changes the title of the game with every report, so that every report tells everybody
//! of that game.

use faf_protocol::Message;
use serde_json::json;

use super::{Actor, Cue, Cues};
use crate::speech::{game_host, of_game};
use crate::swarm::marker::stamp;

/// Approximate size of a `game_info` in bytes, without the map name, which occurs twice.
const AROUND: usize = 465;

/// Longest name of a folder that servers take.
const FOLDER: usize = 240;

/// Hosts a game and, when told to, gives it a new title as soon as the last one is told to
/// everybody.
#[derive(Debug)]
pub(crate) struct Retitler {
    /// Makes a `game_info` as large as it should be.
    map: String,
    game: Option<u64>,
    retitles: bool,
}

impl Retitler {
    /// Each `game_info` gets about this many bytes, from 470 to 940.
    pub(crate) fn new(size: usize) -> Self {
        let padding = (size.saturating_sub(AROUND) / 2).clamp(1, FOLDER);
        Self { map: "m".repeat(padding), game: None, retitles: false }
    }

    fn retitle(cues: &mut Cues) {
        cues.say.push(of_game("GameOption", &json!(["Title", format!("{} all welcome", stamp())])));
        cues.sample.said += 1;
    }
}

impl Actor for Retitler {
    fn logged_in(&mut self, cues: &mut Cues) {
        cues.say.push(game_host("load", &self.map).to_string());
    }

    fn hear(&mut self, message: &Message, cues: &mut Cues) {
        match message.command().as_deref() {
            Some("game_launch") => {
                self.game = message.get("uid").and_then(|uid| uid.parse().ok());
                cues.say.push(of_game("GameState", &json!(["Idle"])));
                cues.say.push(of_game("GameState", &json!(["Lobby"])));
            }
            Some("HostGame") => cues.sample.games += 1,
            Some("game_info") if self.retitles => {
                let uid = message.get("uid").and_then(|uid| uid.parse().ok());
                if uid.is_some() && uid == self.game {
                    Self::retitle(cues);
                }
            }
            _ => {}
        }
    }

    fn cue(&mut self, cue: Cue, cues: &mut Cues) {
        match cue {
            Cue::Retitle => {
                self.retitles = true;
                Self::retitle(cues);
            }
            Cue::Silence => self.retitles = false,
            _ => {}
        }
    }
}
