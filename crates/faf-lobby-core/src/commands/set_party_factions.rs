//! `set_party_factions`: the factions that a player would play in a match (parties.md section 3.5).
//!
//! Clients send it after every login. Parties are not offered yet, so a player is always alone in
//! one and gets the choice back at once; an impossible choice gets no reply.

use faf_protocol::server_message::ServerMessage;
use faf_protocol::{Message, PlayerId};
use serde::{Deserialize, Deserializer, Serialize};

use crate::io::ConnId;
use crate::state::{CommandResult, Lobby, Progress};

/// Names of factions, by their numbers, which begin at 1.
const FACTIONS: [&str; 5] = ["uef", "aeon", "cybran", "seraphim", "nomad"];

/// Longest list that is read, in bytes; one with all names and generous white space has about
/// a hundred.
const LIST_LIMIT: usize = 512;

#[derive(Serialize)]
struct UpdateParty {
    command: &'static str,
    owner: PlayerId,
    members: [Member; 1],
}

#[derive(Serialize)]
struct Member {
    player: PlayerId,
    factions: Vec<&'static str>,
}

/// Index of a faction in [`FACTIONS`].
struct Faction(usize);

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, message: &Message) -> CommandResult {
    let player = lobby.player_of(conn);
    if let Some(factions) = chosen(message) {
        let update =
            UpdateParty { command: "update_party", owner: player, members: [Member { player, factions }] };
        if let Ok(update) = Message::from_value(&update) {
            lobby.send(conn, ServerMessage::Other(update));
        }
    }
    Ok(Progress::Done)
}

/// Returns the named factions, each once and in order of their numbers; `None` if there are none,
/// or unknown ones.
fn chosen(message: &Message) -> Option<Vec<&'static str>> {
    let list = message.get("factions").filter(|list| list.text().len() <= LIST_LIMIT)?;
    let chosen: Vec<Faction> = list.parse().ok()?;
    let is_chosen = |number: usize| chosen.iter().any(|faction| faction.0 == number);
    let factions: Vec<_> =
        FACTIONS.into_iter().enumerate().filter(|(n, _)| is_chosen(*n)).map(|(_, name)| name).collect();
    (!factions.is_empty()).then_some(factions)
}

impl<'de> Deserialize<'de> for Faction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Choice {
            Number(f64),
            Name(String),
        }
        let place = match Choice::deserialize(deserializer)? {
            Choice::Number(number) => (1..=FACTIONS.len()).position(|known| known as f64 == number),
            Choice::Name(name) => FACTIONS.iter().position(|known| known.eq_ignore_ascii_case(&name)),
        };
        place.map(Self).ok_or_else(|| serde::de::Error::custom("it must be a faction"))
    }
}
