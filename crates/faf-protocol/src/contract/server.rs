//! When the server sends each message.

use crate::server_message::ServerCommand;

/// The rules of a server's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerRules {
    /// Whether it can come before the login was accepted.
    pub before_login: bool,
    /// Whether it can come without a request of the client.
    pub unasked: bool,
    /// When it is sent, as a sentence.
    pub sent: &'static str,
}

const fn rule(before_login: bool, unasked: bool, sent: &'static str) -> ServerRules {
    ServerRules { before_login, unasked, sent }
}

impl ServerCommand {
    /// Returns the rules of a message.
    #[must_use]
    pub const fn rules(self) -> ServerRules {
        match self {
            ServerCommand::Session => rule(true, false, "In reply to every `ask_session`."),
            ServerCommand::Notice => rule(
                true,
                true,
                "In reply to a request that is refused, before the server ends a connection, and to tell the player something.",
            ),
            ServerCommand::AuthenticationFailed => rule(
                true,
                true,
                "In reply to a login that is refused, and after a notice about a kick or a ban.",
            ),
            ServerCommand::IrcPassword => rule(true, false, "After a login with a token, first."),
            ServerCommand::Welcome => {
                rule(true, false, "After a login: from here on the client is logged in.")
            }
            ServerCommand::PlayerInfo => rule(
                false,
                true,
                "After a login, with everybody online; then in the reports, once a second, with those who have changed.",
            ),
            ServerCommand::Social => {
                rule(false, true, "After a login; with `autojoin` alone when an administrator orders it.")
            }
            ServerCommand::GameList => rule(false, false, "After a login."),
            ServerCommand::GameInfo => rule(
                false,
                true,
                "In the reports, once a second, about each game that has changed and is visible to the player.",
            ),
            ServerCommand::GameLaunch => rule(
                false,
                true,
                "In reply to `game_host` and `game_join`, and for a match: to the host after `match_found`, to the others when the host's game is open.",
            ),
            ServerCommand::GameJoinFailed => rule(false, false, "In reply to `game_join`."),
            ServerCommand::MatchmakerInfo => rule(
                false,
                true,
                "In reply to `matchmaker_info` with all queues, and in the reports with those that have changed.",
            ),
            ServerCommand::SearchInfo => rule(
                false,
                true,
                "In reply to `game_matchmaking`, to every member of the party, and when a search ends for another reason.",
            ),
            ServerCommand::MatchFound => rule(false, true, "During a search."),
            ServerCommand::MatchCancelled => rule(false, true, "After `match_found`."),
            ServerCommand::SearchTimeout => {
                rule(false, true, "In reply to `game_matchmaking`, to every member of the party.")
            }
            ServerCommand::SearchViolation => {
                rule(false, true, "After `match_cancelled`, to the players to blame.")
            }
            ServerCommand::VetoesInfo => rule(
                false,
                true,
                "In reply to `set_player_vetoes`, and when the brackets of the matchmaker change.",
            ),
            ServerCommand::PartyInvite => rule(false, true, "When another player invites this one."),
            ServerCommand::UpdateParty => {
                rule(false, true, "When the party of the player has changed, at most once a second.")
            }
            ServerCommand::KickedFromParty => rule(false, true, "When the owner has removed the player."),
            ServerCommand::Ping => rule(false, true, "Every 45 seconds."),
            ServerCommand::Pong => rule(true, false, "In reply to `ping`."),
            ServerCommand::Avatar => rule(false, false, "In reply to `avatar` with `list_avatar`."),
            ServerCommand::CoopInfo => rule(false, false, "In reply to `coop_list`."),
            ServerCommand::ModvaultInfo => rule(false, false, "In reply to `modvault`."),
            ServerCommand::IceServers => rule(false, false, "In reply to `ice_servers`."),
            ServerCommand::Disabled => rule(
                false,
                false,
                "In reply to `game_host` and `game_matchmaking` while the server shuts down.",
            ),
            ServerCommand::Invalid => {
                rule(true, false, "In reply to a message that cannot be read, before the connection ends.")
            }
            ServerCommand::UpdatedAchievements => {
                rule(false, true, "After a game, if the service of achievements reports any.")
            }
        }
    }
}
