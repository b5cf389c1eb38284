//! When clients may send each command, and what follows it.

use crate::client_message::ClientCommand;
use crate::server_message::ServerCommand;

use super::When;

/// The rules of a client's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientRules {
    /// When it may be sent.
    pub when: When,
    /// The messages with which the server replies to its sender if it is accepted; several are
    /// sent in this order, or one of them. In addition, every command may be refused with a
    /// `notice`, and one that cannot be read with `invalid`.
    pub replies: &'static [ServerCommand],
    /// The messages that others receive because of it, and its sender if they are a broadcast.
    pub others: &'static [ServerCommand],
    /// The permissions that it needs; without them it has no effect.
    pub permissions: &'static [&'static str],
    /// Anything else there is to know, as Markdown; empty if there is nothing.
    pub note: &'static str,
}

const fn rule(when: When, replies: &'static [ServerCommand], note: &'static str) -> ClientRules {
    ClientRules { when, replies, others: &[], permissions: &[], note }
}

const fn with_others(mut rules: ClientRules, others: &'static [ServerCommand]) -> ClientRules {
    rules.others = others;
    rules
}

impl ClientCommand {
    /// Returns the rules of the command; `None` for one that only the client's game should send.
    #[must_use]
    pub const fn rules(self) -> Option<ClientRules> {
        use ServerCommand as Server;
        use When::{Always, BeforeLogin, Idle, IdleOrSearching, LoggedIn};

        const LOGIN: &[Server] = &[
            Server::Welcome,
            Server::PlayerInfo,
            Server::Social,
            Server::GameList,
            Server::AuthenticationFailed,
        ];
        const TOKEN_LOGIN: &[Server] = &[
            Server::IrcPassword,
            Server::Welcome,
            Server::PlayerInfo,
            Server::Social,
            Server::GameList,
            Server::AuthenticationFailed,
        ];

        Some(match self {
            ClientCommand::AskSession => rule(
                Always,
                &[Server::Notice, Server::Session],
                "The notice comes first, and only to clients whose `user_agent` does not contain `downlords-faf-client`.",
            ),
            ClientCommand::Hello => with_others(
                rule(BeforeLogin, LOGIN, "After `authentication_failed` the client may try again."),
                &[Server::PlayerInfo],
            ),
            ClientCommand::Auth => with_others(
                rule(BeforeLogin, TOKEN_LOGIN, "After `authentication_failed` the client may try again."),
                &[Server::PlayerInfo],
            ),
            ClientCommand::CreateAccount => {
                rule(Always, &[Server::Notice], "Accounts are made on FAF's web site.")
            }
            ClientCommand::Ping => {
                rule(Always, &[Server::Pong], "With `\"target\": \"game\"` there is no reply.")
            }
            ClientCommand::Pong => rule(Always, &[], ""),
            ClientCommand::SocialAdd | ClientCommand::SocialRemove => with_others(
                rule(
                    LoggedIn,
                    &[],
                    "There is no reply. The other player is not told, except by games that appear or disappear.",
                ),
                &[Server::GameInfo],
            ),
            ClientCommand::Avatar => with_others(
                rule(
                    LoggedIn,
                    &[Server::Avatar],
                    "Only `list_avatar` has a reply. Everybody sees a selected avatar with the next report.",
                ),
                &[Server::PlayerInfo],
            ),
            ClientCommand::Admin => ClientRules {
                when: LoggedIn,
                replies: &[],
                others: &[Server::Notice, Server::Social],
                permissions: &["ADMIN_KICK_SERVER", "ADMIN_BROADCAST_MESSAGE", "ADMIN_JOIN_CHANNEL"],
                note: "Each action says which permission it needs. An action that is not listed has no effect.",
            },
            ClientCommand::CoopList => {
                rule(LoggedIn, &[Server::CoopInfo], "One message for each mission; nothing marks the end.")
            }
            ClientCommand::Modvault => rule(
                LoggedIn,
                &[Server::ModvaultInfo],
                "`start`: one message for each mod. `like`: one message, unless the player has liked the mod before. `download`: none.",
            ),
            ClientCommand::IceServers => rule(LoggedIn, &[Server::IceServers], ""),
            ClientCommand::MatchmakerInfo => {
                rule(LoggedIn, &[Server::MatchmakerInfo], "The reply has all queues.")
            }
            ClientCommand::GameHost => with_others(
                rule(
                    Idle,
                    &[Server::GameLaunch, Server::Disabled],
                    "`disabled` while the server shuts down.",
                ),
                &[Server::GameInfo],
            ),
            ClientCommand::GameJoin => rule(
                Idle,
                &[Server::GameLaunch, Server::GameJoinFailed],
                "A notice follows `game_join_failed`. Other refusals are only a notice.",
            ),
            ClientCommand::RestoreGameSession => {
                rule(Idle, &[], "There is no reply if the player is back in the game, else a notice.")
            }
            ClientCommand::MatchReady => rule(LoggedIn, &[], "May follow `match_found`."),
            ClientCommand::InitiateTest => rule(
                LoggedIn,
                &[Server::Notice],
                "Always refused. Afterwards this connection can neither host, join nor search.",
            ),
            ClientCommand::InviteToParty => {
                with_others(rule(Idle, &[], "There is no reply to the sender."), &[Server::PartyInvite])
            }
            ClientCommand::AcceptPartyInvite => with_others(
                rule(Idle, &[Server::UpdateParty], "The reply comes within a second."),
                &[Server::UpdateParty],
            ),
            ClientCommand::KickPlayerFromParty => with_others(
                rule(
                    Idle,
                    &[Server::UpdateParty],
                    "Only for the owner of the party. The reply comes within a second.",
                ),
                &[Server::KickedFromParty, Server::UpdateParty],
            ),
            ClientCommand::LeaveParty => with_others(
                rule(
                    LoggedIn,
                    &[Server::SearchInfo, Server::UpdateParty],
                    "Ends all searches of the party first.",
                ),
                &[Server::SearchInfo, Server::UpdateParty],
            ),
            ClientCommand::SetPartyFactions => with_others(
                rule(
                    LoggedIn,
                    &[Server::UpdateParty],
                    "The reply comes within a second, also to a player who is alone.",
                ),
                &[Server::UpdateParty],
            ),
            ClientCommand::GameMatchmaking => with_others(
                rule(
                    IdleOrSearching,
                    &[Server::SearchInfo, Server::SearchTimeout, Server::Disabled],
                    "`start` only from the owner of the party, `stop` from any member and at any time. Every member gets the reply.",
                ),
                &[Server::SearchInfo, Server::MatchmakerInfo],
            ),
            ClientCommand::SetPlayerVetoes => {
                rule(LoggedIn, &[Server::VetoesInfo], "No reply if the selection was taken as it is.")
            }
            // Only known here because a game may send it before the login of its client.
            ClientCommand::Bottleneck => return None,
        })
    }
}
