//! An honest player who pings and, on command, hosts a lobby that others may join.

use std::time::Duration;

use faf_protocol::Message;
use serde_json::json;

use super::{Actor, ActorCommand, Context, Pinger};
use crate::messages::{self, game_command};
use crate::report::sample::Lobby;

/// Hosts a public lobby between [`ActorCommand::OpenLobby`] and [`ActorCommand::CloseLobby`], and
/// pings as a [`Pinger`] does.
#[derive(Debug)]
pub(crate) struct LobbyHost {
    pinger: Pinger,
    /// Number of the account.
    me: u32,
    game: Option<u64>,
}

impl LobbyHost {
    /// Creates the player with this account number, who pings at this interval.
    pub(crate) fn new(me: u32, interval: Duration) -> Self {
        Self { pinger: Pinger::new(interval), me, game: None }
    }
}

impl Actor for LobbyHost {
    fn logged_in(&mut self, context: &mut Context) {
        self.game = None;
        self.pinger.logged_in(context);
    }

    fn receive(&mut self, message: &Message, context: &mut Context) {
        match message.command().as_deref() {
            Some("game_launch") => self.game = context.start_game(message),
            Some("HostGame") => {
                context.sample.lobbies.extend(self.game.map(|game| Lobby { game, host: self.me }));
            }
            _ => self.pinger.receive(message, context),
        }
    }

    fn due(&mut self, context: &mut Context) {
        self.pinger.due(context);
    }

    fn on_command(&mut self, command: ActorCommand, context: &mut Context) {
        match command {
            ActorCommand::OpenLobby => {
                context.send.push(messages::game_host("all welcome", "scmp_007"));
            }
            ActorCommand::CloseLobby if self.game.take().is_some() => {
                context.send.push(game_command("GameState", &json!(["Ended"])));
            }
            _ => self.pinger.on_command(command, context),
        }
    }
}
