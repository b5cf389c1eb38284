//! The order of messages in the usual situations, as pictures of plain text.

use std::fmt::Write;

/// Width of the space between the lines of two participants.
const GAP: usize = 47;

/// A picture of messages between participants, from top to bottom.
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    /// The heading.
    pub title: &'static str,
    /// The participants from left to right; one of them is `server`.
    pub participants: &'static [&'static str],
    /// The messages and remarks in order.
    pub steps: &'static [Step],
}

/// A line of a [`Flow`].
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// A participant sends a message to the server: the participant, the key of the message in the
    /// contract, and a few words about it.
    ToServer(&'static str, &'static str, &'static str),
    /// The server sends a message to a participant.
    ToClient(&'static str, &'static str, &'static str),
    /// A remark across all lines.
    Remark(&'static str),
}

use Step::{Remark, ToClient, ToServer};

/// All pictures.
pub const FLOWS: &[Flow] = &[
    Flow {
        title: "Log in",
        participants: &["client", "server", "others"],
        steps: &[
            ToServer("client", "client.ask_session", ""),
            ToClient("client", "server.notice", "only unknown clients"),
            ToClient("client", "server.session", ""),
            ToServer("client", "client.hello", "or auth"),
            ToClient("client", "server.irc_password", "only after auth"),
            ToClient("client", "server.welcome", ""),
            ToClient("client", "server.player_info", "everybody"),
            ToClient("client", "server.social", ""),
            ToClient("client", "server.game_info.games", "open and live games"),
            Remark("within a second"),
            ToClient("others", "server.player_info", "the new player"),
            ToClient("client", "server.player_info", "the new player"),
            Remark("if the login is refused, instead of all after hello"),
            ToClient("client", "server.authentication_failed", "try again"),
        ],
    },
    Flow {
        title: "Host a game",
        participants: &["host", "server", "others"],
        steps: &[
            ToServer("host", "client.game_host", ""),
            ToClient("host", "server.game_launch", "start the process"),
            ToServer("host", "game.GameState", "Idle"),
            ToServer("host", "game.GameState", "Lobby"),
            ToClient("host", "server-for-game.HostGame", "the map"),
            ToServer("host", "game.PlayerOption", "own slot and team"),
            ToServer("host", "game.GameOption", ""),
            Remark("within a second, and after each change"),
            ToClient("others", "server.game_info", "open"),
        ],
    },
    Flow {
        title: "Join a game",
        participants: &["guest", "server", "host"],
        steps: &[
            ToServer("guest", "client.game_join", "uid"),
            ToClient("guest", "server.game_launch", "or game_join_failed"),
            ToServer("guest", "game.GameState", "Idle"),
            ToServer("guest", "game.GameState", "Lobby"),
            ToClient("guest", "server-for-game.JoinGame", "the host"),
            ToClient("host", "server-for-game.ConnectToPeer", "the guest, offer true"),
            Remark("with each further guest who is there: offer true here, false there"),
            ToClient("guest", "server-for-game.ConnectToPeer", "offer true"),
            Remark("until the processes are connected"),
            ToServer("guest", "game.IceMsg", "to the host"),
            ToClient("host", "server-for-game.IceMsg", "from the guest"),
            ToServer("host", "game.PlayerOption", "the guest is present"),
        ],
    },
    Flow {
        title: "Launch",
        participants: &["host", "server", "guest"],
        steps: &[
            ToServer("host", "game.GameState", "Launching"),
            ToServer("guest", "game.GameState", "Launching"),
            Remark("within a second"),
            ToClient("host", "server.game_info", "playing"),
            ToClient("guest", "server.game_info", "playing"),
        ],
    },
    Flow {
        title: "Results",
        participants: &["host", "server", "guest"],
        steps: &[
            Remark("every process reports every army"),
            ToServer("host", "game.GameResult", "1, victory 10"),
            ToServer("guest", "game.GameResult", "1, victory 10"),
            ToServer("host", "game.GameResult", "2, defeat -10"),
            ToServer("guest", "game.GameResult", "2, defeat -10"),
            ToServer("host", "game.JsonStats", ""),
            ToServer("host", "game.GameEnded", ""),
            ToServer("guest", "game.GameEnded", ""),
            Remark("the game is over: it is rated"),
            ToClient("host", "server.game_info", "closed"),
            ToClient("guest", "server.game_info", "closed"),
            ToClient("host", "server.player_info", "new ratings"),
            ToClient("guest", "server.player_info", "new ratings"),
            Remark("when a process ends"),
            ToServer("host", "game.GameState", "Ended"),
            ToServer("guest", "game.GameState", "Ended"),
        ],
    },
    Flow {
        title: "Party",
        participants: &["owner", "server", "friend"],
        steps: &[
            ToServer("owner", "client.invite_to_party", "the friend"),
            ToClient("friend", "server.party_invite", "the owner"),
            ToServer("friend", "client.accept_party_invite", "the owner"),
            Remark("within a second"),
            ToClient("owner", "server.update_party", "two members"),
            ToClient("friend", "server.update_party", "two members"),
            ToServer("friend", "client.set_party_factions", ""),
            ToClient("owner", "server.update_party", ""),
            ToClient("friend", "server.update_party", ""),
            ToServer("owner", "client.kick_player_from_party", "the friend"),
            ToClient("friend", "server.kicked_from_party", ""),
            ToClient("owner", "server.update_party", "one member"),
        ],
    },
    Flow {
        title: "Queue and match",
        participants: &["host", "server", "guest"],
        steps: &[
            ToServer("host", "client.matchmaker_info", ""),
            ToClient("host", "server.matchmaker_info", "all queues"),
            ToServer("host", "client.game_matchmaking", "start"),
            ToClient("host", "server.search_info", "start"),
            ToServer("guest", "client.game_matchmaking", "start"),
            ToClient("guest", "server.search_info", "start"),
            Remark("when the queue makes a match"),
            ToClient("host", "server.match_found", ""),
            ToClient("guest", "server.match_found", ""),
            ToClient("host", "server.game_launch", "with map and slot"),
            ToServer("host", "game.GameState", "Idle, then Lobby"),
            ToClient("host", "server-for-game.HostGame", "the map"),
            ToClient("guest", "server.game_launch", "with map and slot"),
            ToServer("guest", "game.GameState", "Idle, then Lobby"),
            ToClient("guest", "server-for-game.JoinGame", "the host"),
            ToClient("host", "server-for-game.ConnectToPeer", "the guest"),
            ToServer("host", "game.EstablishedPeer", ""),
            ToServer("guest", "game.EstablishedPeer", ""),
            ToServer("host", "game.GameState", "Launching"),
            Remark("if this takes too long or somebody leaves"),
            ToClient("host", "server.match_cancelled", ""),
            ToClient("guest", "server.match_cancelled", ""),
            ToClient("guest", "server.search_violation", "only players to blame"),
        ],
    },
    Flow {
        title: "Vetoes",
        participants: &["client", "server"],
        steps: &[
            Remark("after each login"),
            ToServer("client", "client.set_player_vetoes", "the whole selection"),
            Remark("no reply: it was taken as it is. Otherwise"),
            ToClient("client", "server.vetoes_info", "forced false"),
            Remark("when brackets change so that a token is lost"),
            ToClient("client", "server.search_info", "stop, if searching"),
            ToClient("client", "server.vetoes_info", "forced true"),
        ],
    },
];

impl Flow {
    /// Draws the picture: a column for each participant, an arrow for each message.
    #[must_use]
    pub fn draw(&self) -> String {
        let mut picture = String::new();
        let column = |index: usize| 4 + index * GAP;
        let mut heads = vec![b' '; column(self.participants.len() - 1) + 10];
        for (index, name) in self.participants.iter().enumerate() {
            let start = column(index) - name.len() / 2;
            heads[start..start + name.len()].copy_from_slice(name.as_bytes());
        }
        push(&mut picture, &heads);
        for step in self.steps {
            let mut line = vec![b' '; column(self.participants.len() - 1) + 1];
            for index in 0..self.participants.len() {
                line[column(index)] = b'|';
            }
            match step {
                Remark(text) => {
                    push(&mut picture, &line);
                    let text = format!(" {text} ");
                    let start = column(0) + 3;
                    let end = start + text.len();
                    line.resize(line.len().max(end), b' ');
                    line[start..end].copy_from_slice(text.as_bytes());
                }
                ToServer(name, key, words) | ToClient(name, key, words) => {
                    let (one, other) = (self.column_of(name), self.column_of("server"));
                    let (left, right) = (column(one.min(other)), column(one.max(other)));
                    line[left + 1..right].fill(b'-');
                    let is_to_the_right = (one < other) == matches!(step, ToServer(..));
                    if is_to_the_right {
                        line[right - 1] = b'>';
                    } else {
                        line[left + 1] = b'<';
                    }
                    let label = label(key, words);
                    let start = left + 3;
                    line[start..start + label.len()].copy_from_slice(label.as_bytes());
                }
            }
            push(&mut picture, &line);
        }
        picture
    }

    fn column_of(&self, name: &str) -> usize {
        self.participants.iter().position(|other| *other == name).expect("a test draws all pictures")
    }
}

/// Returns the text on an arrow.
fn label(key: &str, words: &str) -> String {
    let mut label = String::new();
    let name = key.split('.').nth(1).unwrap_or(key);
    let _ = match words {
        "" => write!(label, " {name} "),
        words => write!(label, " {name} ({words}) "),
    };
    label
}

fn push(picture: &mut String, line: &[u8]) {
    picture.push_str(String::from_utf8_lossy(line).trim_end());
    picture.push('\n');
}

#[cfg(test)]
mod tests {
    use faf_protocol::contract::Contract;

    use super::*;

    #[test]
    fn every_message_is_in_the_contract_and_fits_its_arrow() {
        let contract = Contract::new();
        for flow in FLOWS {
            assert!(!flow.draw().is_empty());
            for step in flow.steps {
                let (ToServer(_, key, words) | ToClient(_, key, words)) = step else { continue };
                let entry = contract.by_key(key).unwrap_or_else(|| panic!("{}: {key}", flow.title));
                assert_eq!(entry.sender.is_client_side(), matches!(step, ToServer(..)), "{key}");
                assert!(label(key, words).len() + 5 <= GAP, "{key} {words}");
            }
        }
    }
}
