//! The commands of clients, a file each under its wire name.
//!
//! A command runs at once, or asks something and goes on when the answer comes; the second half stands in the same file
//! and looks again at whatever may have changed meanwhile. While it waits, nothing but pings of the same connection is
//! carried out.

mod admin;
mod ask_session;
mod auth;
mod avatar;
mod coop_list;
mod create_account;
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

use faf_protocol::{ClientMessage, CommandError, Secret};
use serde::{Deserialize, Serialize};

use crate::effect::{Count, LogLine};
use crate::event::{Answer, ConnId, Ticket};
use crate::game_commands;
use crate::games;
use crate::login::{self, LoggingIn};
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
    /// It goes on when its question is answered.
    Asked,
}

/// The second half of a command that has asked something.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Continuation {
    CheckedPassword(hello::Checked),
    CheckedToken(auth::Checked),
    SignedIn(LoggingIn),
    SocialAdded(social_add::Added),
    SocialRemoved(social_remove::Removed),
    AvatarsListed,
    AvatarSelected,
    AdminPermitted(admin::Permitted),
    MissionsListed,
    ModsListed,
    ModLiked,
    DownloadCounted,
    HostPermitted(game_host::Permitted),
    HostMapFound(Box<game_host::MapFound>),
    JoinPermitted(game_join::Permitted),
    Unreadable(games::Unreadable),
    GameCommand(game_commands::Continuation),
}

impl Continuation {
    /// The secret of a client that is remembered.
    pub(crate) fn secret(&mut self) -> Option<&mut Secret> {
        match self {
            Self::HostPermitted(state) => state.request.password.as_mut(),
            Self::HostMapFound(state) => state.request.password.as_mut(),
            Self::JoinPermitted(state) => state.request.password.as_mut(),
            _ => None,
        }
    }
}

/// Carries out a message of a client, or the first half of it.
pub(crate) fn carry_out(
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
        Err(error) => return games::refuse_unreadable(world, conn, error),
    };
    match message {
        ClientMessage::AskSession(request) => ask_session::carry_out(world, conn, request),
        ClientMessage::Hello(request) => hello::carry_out(world, conn, request),
        ClientMessage::Auth(request) => auth::carry_out(world, conn, request),
        ClientMessage::CreateAccount => create_account::carry_out(),
        ClientMessage::Ping => ping::carry_out(world, conn),
        ClientMessage::Pong | ClientMessage::MatchReady => Ok(Progress::Done),
        ClientMessage::SocialAdd(request) => social_add::carry_out(world, conn, &request),
        ClientMessage::SocialRemove(request) => social_remove::carry_out(world, conn, &request),
        ClientMessage::Avatar(action) => avatar::carry_out(world, conn, action),
        ClientMessage::Admin(action) => admin::carry_out(world, conn, action),
        ClientMessage::CoopList => coop_list::carry_out(world, conn),
        ClientMessage::Modvault(action) => modvault::carry_out(world, conn, action),
        ClientMessage::IceServers => ice_servers::carry_out(world, conn),
        ClientMessage::MatchmakerInfo => matchmaker_info::carry_out(world, conn),
        ClientMessage::GameHost(request) => game_host::carry_out(world, conn, request),
        ClientMessage::GameJoin(request) => game_join::carry_out(world, conn, request),
        ClientMessage::RestoreGameSession(request) => restore_game_session::carry_out(world, conn, &request),
        ClientMessage::InitiateTest { .. } => initiate_test::carry_out(world, conn),
        ClientMessage::Game(message) => Ok(game_commands::carry_out(world, conn, &message)),
        ClientMessage::Other(message) => matchmaking_unavailable::carry_out(world, conn, &message),
    }
}

/// Carries out the second half of a command.
pub(crate) fn go_on(
    world: &mut World,
    conn: ConnId,
    ticket: Ticket,
    continuation: Continuation,
    answer: Answer,
) -> Result<Progress, Refusal> {
    if let Continuation::CheckedPassword(state) = &continuation {
        match answer {
            Answer::Busy => hello::too_busy(world, conn, state),
            Answer::Unavailable => hello::take_attempt_back(world, conn),
            _ => {}
        }
    }
    match (continuation, answer) {
        // What a game process says never ends the connection.
        (Continuation::GameCommand(state), answer) => Ok(game_commands::go_on(world, conn, state, answer)),
        (_, Answer::Busy) => {
            world.count(Count::Busy);
            Err(Refusal::AuthenticationFailed(crate::texts::BUSY))
        }
        (_, Answer::Unavailable) => Err(Refusal::fatal(crate::texts::DATABASE_UNAVAILABLE)),
        (Continuation::CheckedPassword(state), Answer::Account(account)) => {
            hello::go_on(world, conn, state, account)
        }
        (Continuation::CheckedToken(state), Answer::Account(account)) => {
            auth::go_on(world, conn, state, Ok(account))
        }
        (Continuation::CheckedToken(state), Answer::Token(fault)) => {
            auth::go_on(world, conn, state, Err(fault))
        }
        (Continuation::SignedIn(state), Answer::Profile(profile)) => {
            login::complete(world, conn, state, *profile)
        }
        (Continuation::SocialAdded(state), Answer::RelationChanged) => {
            social_add::go_on(world, conn, &state);
            Ok(Progress::Done)
        }
        (Continuation::SocialAdded(_), Answer::UnknownPlayer) => {
            Err(Refusal::declined(crate::texts::UNKNOWN_PLAYER))
        }
        (Continuation::SocialRemoved(state), Answer::RelationChanged) => {
            social_remove::go_on(world, conn, &state);
            Ok(Progress::Done)
        }
        (Continuation::AvatarsListed, Answer::Avatars(avatars)) => avatar::listed(world, conn, avatars),
        (Continuation::AvatarSelected, Answer::AvatarSelected(avatar)) => {
            avatar::selected(world, conn, avatar)
        }
        (Continuation::AvatarSelected, Answer::AvatarNotGranted) => Ok(Progress::Done),
        (Continuation::AdminPermitted(state), Answer::Permission(permitted)) => {
            admin::go_on(world, conn, state, permitted)
        }
        (Continuation::MissionsListed, Answer::Missions(missions)) => coop_list::go_on(world, conn, missions),
        (Continuation::ModsListed | Continuation::ModLiked, Answer::Mods(mods)) => {
            modvault::show(world, conn, mods)
        }
        (Continuation::ModLiked, Answer::LikedBefore)
        | (Continuation::DownloadCounted, Answer::DownloadCounted) => Ok(Progress::Done),
        (Continuation::ModLiked | Continuation::DownloadCounted, Answer::UnknownMod) => {
            Err(Refusal::declined(crate::texts::UNKNOWN_MOD))
        }
        (Continuation::HostPermitted(state), Answer::Ban(ban)) => {
            game_host::permitted(world, conn, state, ban)
        }
        (Continuation::HostMapFound(state), Answer::Map(map)) => {
            game_host::map_found(world, conn, *state, map)
        }
        (Continuation::JoinPermitted(state), Answer::Ban(ban)) => {
            game_join::permitted(world, conn, state, ban)
        }
        (Continuation::Unreadable(state), Answer::Ban(ban)) => {
            games::unreadable_refused(world, conn, state, ban)
        }
        _ => {
            world.log(LogLine::WrongAnswer { ticket });
            Err(Refusal::fatal(crate::texts::DATABASE_UNAVAILABLE))
        }
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
