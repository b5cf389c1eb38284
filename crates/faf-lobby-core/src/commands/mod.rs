//! The commands of clients, a file each under its wire name.
//!
//! A command runs at once, or makes a request and goes on when the reply comes: `Resume` stands in the same file and
//! checks again what may have changed in the meantime. While a command waits, nothing but pings of the same connection is
//! carried out.

mod admin;
mod ask_session;
mod auth;
mod avatar;
mod coop_list;
mod create_account;
mod entry;
mod game_host;
mod game_join;
mod hello;
mod ice_servers;
mod initiate_test;
mod matchmaker_info;
mod matchmaking_unavailable;
mod modvault;
mod ping;
mod restore_game_session;
mod set_party_factions;
mod social_add;
mod social_remove;

use std::borrow::Cow;

use faf_protocol::{ClientMessage, CommandError};

use crate::effect::Count;
use crate::event::ConnId;
use crate::game_commands;
use crate::pacing::CommandClass::{
    self, Administration, Game, Heartbeat, Host, Join, List, Login, Party, Query,
};
use crate::refusal::Refusal;
use crate::world::World;

/// All commands at a glance.
const COMMANDS: &[Rule] = &[
    //   command                  before login  while shutting down  class
    rule("accept_party_invite", false, true, Party),
    rule("admin", false, true, Administration),
    rule("ask_session", true, true, Login),
    rule("auth", true, true, Login),
    rule("avatar", false, true, List),
    rule("Bottleneck", true, true, Game), // A game may still send it while its client logs in again.
    rule("coop_list", false, true, Query),
    rule("create_account", true, true, Login),
    rule("game_host", false, false, Host),
    rule("game_join", false, true, Join),
    rule("game_matchmaking", false, true, Party), // Searches cannot be begun then, but ended.
    rule("hello", true, true, Login),
    rule("ice_servers", false, true, Query),
    rule("InitiateTest", false, true, Query),
    rule("invite_to_party", false, true, Party),
    rule("kick_player_from_party", false, true, Party),
    rule("leave_party", false, true, Party),
    rule("match_ready", false, true, Party),
    rule("matchmaker_info", false, true, Query),
    rule("modvault", false, true, List),
    rule("ping", true, true, Heartbeat),
    rule("pong", true, true, Heartbeat),
    rule("restore_game_session", false, true, Join),
    rule("set_party_factions", false, true, Party),
    rule("set_player_vetoes", false, true, Party),
    rule("social_add", false, true, List),
    rule("social_remove", false, true, List),
];

/// When a command is allowed, and what it costs.
struct Rule {
    command: &'static str,
    before_login: bool,
    while_draining: bool,
    class: CommandClass,
}

const fn rule(command: &'static str, before_login: bool, while_draining: bool, class: CommandClass) -> Rule {
    Rule { command, before_login, while_draining, class }
}

fn rule_of(command: &str) -> Option<&'static Rule> {
    COMMANDS.iter().find(|rule| rule.command == command)
}

/// What a message costs: its class, and how many bytes of it count.
pub(crate) fn price(message: &Result<ClientMessage, CommandError>) -> (CommandClass, usize) {
    let command = match message {
        Ok(ClientMessage::Game(message)) => return game_commands::price(message),
        Ok(message) => message.command(),
        Err(error) => error.command.as_deref().map(Cow::Borrowed),
    };
    (command.and_then(|command| rule_of(&command)).map_or(Query, |rule| rule.class), 0)
}

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    /// It goes on when the reply to its request comes.
    Pending,
}

/// Carries out a message of a client, or the first half of it.
pub(crate) fn handle(
    world: &mut World,
    conn: ConnId,
    message: Result<ClientMessage, CommandError>,
) -> Result<Progress, Refusal> {
    let command = match &message {
        // The game's commands have names of their own; one of them may be that of a client's.
        Ok(ClientMessage::Game(message)) if message.command != "Bottleneck" => Some(Cow::Borrowed("")),
        Ok(message) => message.command(),
        Err(error) => error.command.as_deref().map(Cow::Borrowed),
    };
    check_allowed(world, conn, command.as_deref())?;
    let message = match message {
        Ok(message) => message,
        Err(error) => return entry::refuse_unreadable(world, conn, error),
    };
    match message {
        ClientMessage::AskSession(request) => ask_session::handle(world, conn, request),
        ClientMessage::Hello(request) => hello::handle(world, conn, request),
        ClientMessage::Auth(request) => auth::handle(world, conn, request),
        ClientMessage::CreateAccount => create_account::handle(),
        ClientMessage::Ping => ping::handle(world, conn),
        ClientMessage::Pong | ClientMessage::MatchReady => Ok(Progress::Done),
        ClientMessage::SocialAdd(request) => social_add::handle(world, conn, &request),
        ClientMessage::SocialRemove(request) => social_remove::handle(world, conn, &request),
        ClientMessage::Avatar(action) => avatar::handle(world, conn, action),
        ClientMessage::Admin(action) => admin::handle(world, conn, action),
        ClientMessage::CoopList => coop_list::handle(world, conn),
        ClientMessage::Modvault(action) => modvault::handle(world, conn, action),
        ClientMessage::IceServers => ice_servers::handle(world, conn),
        ClientMessage::MatchmakerInfo => matchmaker_info::handle(world, conn),
        ClientMessage::GameHost(request) => game_host::handle(world, conn, request),
        ClientMessage::GameJoin(request) => game_join::handle(world, conn, request),
        ClientMessage::RestoreGameSession(request) => restore_game_session::handle(world, conn, &request),
        ClientMessage::InitiateTest { .. } => initiate_test::handle(world, conn),
        ClientMessage::Game(message) => Ok(game_commands::handle(world, conn, &message)),
        ClientMessage::Other(message) => matchmaking_unavailable::handle(world, conn, &message),
    }
}

fn check_allowed(world: &mut World, conn: ConnId, command: Option<&str>) -> Result<(), Refusal> {
    let Some(command) = command else { return Ok(()) };
    let rule = rule_of(command);
    if world.session(conn).player.is_none() && !rule.is_some_and(|rule| rule.before_login) {
        let command = rule.map_or("other", |rule| rule.command);
        world.count(Count::NotLoggedIn(command));
        return Err(Refusal::NotLoggedIn { command });
    }
    match rule {
        Some(rule) if world.is_draining() && !rule.while_draining => {
            Err(Refusal::Disabled { request: rule.command })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_every_command_once() {
        let names: Vec<_> = COMMANDS.iter().map(|rule| rule.command.to_lowercase()).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }
}
