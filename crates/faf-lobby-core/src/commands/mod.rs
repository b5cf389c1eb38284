//! The commands of clients: the table is here, and each command has a file under its wire name.
//!
//! A command runs at once, or makes a request and continues when the reply comes: its `Resume` is
//! in the same file, and checks again whatever may have changed in the meantime. While a command
//! waits, only pings of the same connection are handled.
//!
//! ARCHITECTURE.md has the recipe for adding a command.

mod accept_party_invite;
mod admin;
mod ask_session;
mod auth;
mod avatar;
mod ban_check;
mod coop_list;
mod create_account;
mod game_host;
mod game_join;
mod game_matchmaking;
mod hello;
mod ice_servers;
mod initiate_test;
mod invite_to_party;
mod kick_player_from_party;
mod leave_party;
mod matchmaker_info;
mod modvault;
mod ping;
mod restore_game_session;
mod set_party_factions;
mod set_player_vetoes;
mod social_add;
mod social_remove;
mod unknown;

use faf_protocol::{ClientCommand, ClientMessage, CommandError};

use crate::game_commands;
use crate::io::{ConnId, Count};
use crate::parties;
use crate::refusal::Refusal;
use crate::state::{CommandClass, CommandResult, Lobby, Progress};

/// The condition under which a command is allowed, and its cost.
struct Rule {
    name: &'static str,
    before_login: bool,
    while_draining: bool,
    class: CommandClass,
}

/// The rule for commands that are not in the table.
const UNKNOWN: Rule =
    Rule { name: "other", before_login: false, while_draining: true, class: CommandClass::Query };

macro_rules! command_table {
    (
        typed { $(
            ($typed_before:literal, $typed_draining:literal, $typed_class:ident) $typed:ident $(($members:ident))?
                => $($typed_handle:ident)::+($($typed_given:expr)?);
        )* }
        untyped { $(
            ($untyped_before:literal, $untyped_draining:literal, $untyped_class:ident) $untyped:ident
                => $($untyped_handle:ident)::+;
        )* }
    ) => {
        fn rule(command: ClientCommand) -> Rule {
            let (before_login, while_draining, class) = match command {
                $( ClientCommand::$typed => ($typed_before, $typed_draining, CommandClass::$typed_class), )*
                $( ClientCommand::$untyped => ($untyped_before, $untyped_draining, CommandClass::$untyped_class), )*
            };
            Rule { name: command.name(), before_login, while_draining, class }
        }

        fn run(lobby: &mut Lobby, conn: ConnId, message: ClientMessage) -> CommandResult {
            match message {
                $(
                    ClientMessage::$typed $(($members))? => {
                        $($typed_handle)::+(lobby, conn, $($typed_given)?)
                    }
                )*
                ClientMessage::Game(message) => Ok(game_commands::handle(lobby, conn, &message)),
                ClientMessage::Other(message) => match known(message.command()) {
                    $(
                        Some(ClientCommand::$untyped) => $($untyped_handle)::+(lobby, conn, &message),
                    )*
                    _ => unknown::handle(lobby, conn, &message),
                },
            }
        }
    };
}

// All commands at a glance. Handlers get the lobby and the connection first; those of untyped
// commands also the message.
command_table! {
    typed {
        // before login, while shutting down, class
        (false, true,  Party)          AcceptPartyInvite(request) => accept_party_invite::handle(&request);
        (false, true,  Administration) Admin(action) => admin::handle(action);
        (true,  true,  Login)          AskSession(request) => ask_session::handle(request);
        (true,  true,  Login)          Auth(request) => auth::handle(request);
        (false, true,  List)           Avatar(action) => avatar::handle(action);
        (false, true,  Query)          CoopList => coop_list::handle();
        (true,  true,  Login)          CreateAccount => create_account::handle();
        // Then searches can be ended, but not begun.
        (false, true,  Party)          GameMatchmaking(request) => game_matchmaking::handle(request);
        (false, false, Host)           GameHost(request) => game_host::handle(request);
        (false, true,  Join)           GameJoin(request) => game_join::handle(request);
        (true,  true,  Login)          Hello(request) => hello::handle(request);
        (false, true,  Query)          IceServers => ice_servers::handle();
        (false, true,  Query)          InitiateTest(request) => initiate_test::handle(request);
        (false, true,  Party)          InviteToParty(request) => invite_to_party::handle(&request);
        (false, true,  Party)          KickPlayerFromParty(request) => kick_player_from_party::handle(&request);
        (false, true,  Party)          LeaveParty => leave_party::handle();
        (false, true,  Party)          MatchReady => nothing();
        (false, true,  Query)          MatchmakerInfo => matchmaker_info::handle();
        (false, true,  List)           Modvault(action) => modvault::handle(action);
        (true,  true,  Heartbeat)      Ping => ping::handle();
        (true,  true,  Heartbeat)      Pong => nothing();
        (false, true,  Join)           RestoreGameSession(request) => restore_game_session::handle(&request);
        (false, true,  Party)          SetPartyFactions(request) => set_party_factions::handle(&request);
        (false, true,  Party)          SetPlayerVetoes(request) => set_player_vetoes::handle(request);
        (false, true,  List)           SocialAdd(request) => social_add::handle(&request);
        (false, true,  List)           SocialRemove(request) => social_remove::handle(&request);
    }
    untyped {
        // A game may still send it while its client logs in again.
        (true,  true,  Game)           Bottleneck => unknown::handle;
    }
}

/// Handles a message of a client, up to the request that it makes, if it makes one.
pub(crate) fn handle(
    lobby: &mut Lobby,
    conn: ConnId,
    message: Result<ClientMessage, CommandError>,
) -> CommandResult {
    if let Some(rule) = rule_of(&message) {
        check_allowed(lobby, conn, &rule)?;
    }
    match message {
        Ok(message) => run(lobby, conn, message),
        Err(error) => refuse_unreadable(lobby, conn, error),
    }
}

/// Refuses a message whose members do not fit its command.
fn refuse_unreadable(lobby: &mut Lobby, conn: ConnId, error: CommandError) -> Result<Progress, Refusal> {
    match (known(error.command.as_ref()), lobby.session(conn).player) {
        (Some(ClientCommand::SetPlayerVetoes), Some(_)) => Err(set_player_vetoes::refuse_unreadable()),
        (Some(command), Some(player)) if rule(command).class == CommandClass::Party => {
            Err(parties::refuse_unreadable(lobby, player, command, &error))
        }
        _ => ban_check::refuse_unreadable(lobby, conn, error),
    }
}

/// Returns the price of a message: its class, and the number of bytes that count.
pub(crate) fn price(message: &Result<ClientMessage, CommandError>) -> (CommandClass, usize) {
    match message {
        Ok(ClientMessage::Game(message)) => game_commands::price(message),
        other => (rule_of(other).map_or(CommandClass::Query, |rule| rule.class), 0),
    }
}

/// Returns the rule for a message; `None` if it names no command.
fn rule_of(message: &Result<ClientMessage, CommandError>) -> Option<Rule> {
    let command = match message {
        // Commands of the game have names of their own. Only one is also the name of a client's
        // command.
        Ok(ClientMessage::Game(message)) => {
            known(Some(&message.command)).filter(|command| *command == ClientCommand::Bottleneck)
        }
        Ok(message) => known(Some(message.command()?)),
        Err(error) => known(Some(error.command.as_ref()?)),
    };
    Some(command.map_or(UNKNOWN, rule))
}

fn known(name: Option<impl AsRef<str>>) -> Option<ClientCommand> {
    name.and_then(|name| ClientCommand::from_name(name.as_ref()))
}

fn check_allowed(lobby: &mut Lobby, conn: ConnId, rule: &Rule) -> Result<(), Refusal> {
    if lobby.session(conn).player.is_none() && !rule.before_login {
        lobby.count(Count::NotLoggedIn(rule.name));
        return Err(Refusal::NotLoggedIn { command: rule.name });
    }
    match lobby.is_draining() && !rule.while_draining {
        true => Err(Refusal::Disabled { request: rule.name }),
        false => Ok(()),
    }
}

/// Handles commands that have no meaning for the lobby.
fn nothing(_lobby: &mut Lobby, _conn: ConnId) -> CommandResult {
    Ok(Progress::Done)
}
