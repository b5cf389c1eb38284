//! Ids of games that differ from the recorded ones: a server that does not count from the seed's
//! last game gives its games other ids, in the same places.

use std::collections::BTreeMap;

use faf_protocol::Message;
use serde_json::Value;

/// Which game of the server is which of the recording.
#[derive(Debug, Default)]
pub(crate) struct Games {
    recorded: BTreeMap<u64, u64>,
    own: BTreeMap<u64, u64>,
}

impl Games {
    /// Learns the ids from what a client should have received and has received: the messages that
    /// begin a game for it, in their order.
    pub(crate) fn learn(&mut self, expected: &[Value], received: &[Value]) {
        for (command, member) in [("game_launch", "uid"), ("match_found", "game_id")] {
            let ids = |messages: &[Value]| -> Vec<u64> {
                let of_command = messages.iter().filter(|message| message["command"] == command);
                of_command.filter_map(|message| message[member].as_u64()).collect()
            };
            for (recorded, own) in ids(expected).into_iter().zip(ids(received)) {
                if !self.own.contains_key(&recorded) && !self.recorded.contains_key(&own) {
                    self.own.insert(recorded, own);
                    self.recorded.insert(own, recorded);
                }
            }
        }
    }

    /// Returns a recorded message of a client with the ids of the server.
    pub(crate) fn own(&self, message: &Message) -> Message {
        let Ok(mut value) = serde_json::from_str(message.as_str()) else { return message.clone() };
        if self.own.is_empty() || !rename(&mut value, &self.own) {
            return message.clone();
        }
        value.to_string().parse().unwrap_or_else(|_| message.clone())
    }

    /// Replaces the ids of the server by recorded ones.
    pub(crate) fn recorded(&self, value: &mut Value) {
        rename(value, &self.recorded);
    }
}

/// Replaces the ids of games; returns whether there were any.
fn rename(value: &mut Value, names: &BTreeMap<u64, u64>) -> bool {
    let mut is_renamed = false;
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                // The `uid` of a mod is a text.
                let id = value.as_u64().filter(|_| matches!(name.as_str(), "uid" | "game_id"));
                if let Some(other) = id.and_then(|id| names.get(&id)) {
                    *value = (*other).into();
                    is_renamed = true;
                } else {
                    is_renamed |= rename(value, names);
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                is_renamed |= rename(value, names);
            }
        }
        _ => {}
    }
    is_renamed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn games_are_renamed_both_ways() {
        let mut games = Games::default();
        let launch = |uid: u64| vec![json!({"command": "game_launch", "uid": uid})];
        games.learn(&launch(5001), &launch(77));
        // An id that is known stays.
        games.learn(&launch(5001), &launch(78));
        games.learn(&launch(5002), &launch(77));
        let join: Message = r#"{"command":"game_join","uid":5001,"note":5001}"#.parse().unwrap();
        let own: Value = serde_json::from_str(games.own(&join).as_str()).unwrap();
        assert_eq!(own, json!({"command": "game_join", "uid": 77, "note": 5001}));
        let mut list = json!({"command": "game_info", "games": [{"uid": 77}, {"uid": 78, "game_id": 77}]});
        games.recorded(&mut list);
        assert_eq!(
            list,
            json!({"command": "game_info", "games": [{"uid": 5001}, {"uid": 78, "game_id": 5001}]})
        );
    }
}
