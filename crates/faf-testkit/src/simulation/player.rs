//! Players: bots at clients that do not always do what the bots want.

use std::sync::Arc;
use std::time::Duration;

use faf_bots::{Action, Bot, Content, Map, Mission, Rng, Shared, Sociable};
use faf_lobby_core::ConnId;
use faf_protocol::client_message::ClientMessage;
use faf_protocol::{CommandError, PlayerId, ServerMessage};
use rand::SeedableRng;

use super::evening::{Evening, Scheduled};
use super::invariants::Violation;
use super::messages;
use super::random::Random;

/// A player with a client.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) id: PlayerId,
    pub(super) bot: Bot,
    /// The connection that the player uses.
    pub(super) conn: Option<ConnId>,
    /// The connection that was left open when the player logged in elsewhere.
    pub(super) old: Option<ConnId>,
    /// Whether the game process hangs and sends nothing more.
    pub(super) is_stalled: bool,
    /// Whether the client has sent something on this connection about games that the bot knows
    /// nothing of.
    pub(super) is_odd: bool,
    /// Time since which the player has done nothing that keeps them from hosting.
    pub(super) idle_since: Option<Duration>,
    /// Time of the bot's next action, and number of that plan; earlier plans are void.
    pub(super) acts_at: Option<Duration>,
    pub(super) plan: u64,
}

/// Creates the players of an evening, numbered from 1.
pub(super) fn players(number: usize, random: &mut Random) -> Vec<Player> {
    players_with(number, settings(), random)
}

/// Creates players whose bots have these settings, numbered from 1.
pub(super) fn players_with(number: usize, settings: faf_bots::Settings, random: &mut Random) -> Vec<Player> {
    let login = |id: PlayerId| format!("p{id}");
    let ids = || (1..=number).map(|number| PlayerId(number as u32));
    let shared = Shared { settings, content: content(), ..Shared::default() };
    let shared = Arc::new(shared);
    let player = |id| {
        let rng = Rng::seed_from_u64(random.next());
        let bot = Bot::new(login(id), Arc::clone(&shared), Box::new(Sociable), rng);
        Player {
            id,
            bot,
            conn: None,
            old: None,
            is_stalled: false,
            is_odd: false,
            idle_since: None,
            acts_at: None,
            plan: 0,
        }
    };
    ids().map(player).collect()
}

/// Processes that start slowly, hosts that wait only briefly, and games that last long enough to
/// be disturbed.
fn settings() -> faf_bots::Settings {
    faf_bots::Settings {
        idle: 1.0..20.0,
        process_start: 0.5..8.0,
        host_wait: 60.0,
        retitle: Some(60.0),
        battle: 60.0..420.0,
        rest: 1.0..20.0,
        leaves_lobby: 0.15,
        restores: 0.85,
        match_faults: 0.08,
        ignores_cancellation: 0.3,
        reports_peers: 0.9,
        ..faf_bots::Settings::default()
    }
}

/// Everything happens within a minute: short games, and players who hardly rest.
pub(super) fn quick_settings() -> faf_bots::Settings {
    faf_bots::Settings {
        idle: 0.2..3.0,
        process_start: 0.1..1.5,
        host_wait: 8.0,
        retitle: Some(10.0),
        battle: 5.0..20.0,
        rest: 0.2..3.0,
        ..settings()
    }
}

/// Content of the simulation's store.
fn content() -> Content {
    let map =
        |folder: &str, max_players| Map { name: folder.to_owned(), folder: folder.to_owned(), max_players };
    Content {
        maps: vec![map("scmp_007", 4), map("scmp_007", 8), map("SCMP_009", 8)],
        missions: vec![Mission { name: "mission".to_owned(), folder: "scmp_007".to_owned() }],
        sim_mods: vec!["some-mod".to_owned()],
    }
}

impl Evening {
    /// Lets a player connect, or lets the bot act if its time has come.
    pub(super) fn act(&mut self, player: usize) -> Result<(), Violation> {
        self.players[player].acts_at = None;
        match self.players[player].conn {
            None if self.is_late => Ok(()),
            None => self.come(player),
            Some(_) => {
                self.players[player].bot.handle_timeout(self.now);
                self.follow(player);
                self.read_all()
            }
        }
    }

    /// Logs a player in on a new connection.
    pub(super) fn come(&mut self, player: usize) -> Result<(), Violation> {
        let conn = self.connect(player)?;
        self.players[player].conn = Some(conn);
        let greeting = self.greeting(player);
        self.players[player].bot.connected(self.now, greeting);
        self.follow(player);
        self.read_all()
    }

    /// Returns the messages of a login, some of which are useless.
    pub(super) fn greeting(&mut self, player: usize) -> Vec<ClientMessage> {
        let Player { id, bot, .. } = &self.players[player];
        match self.random.below(20) {
            0 => vec![messages::hello(bot.login(), false)],
            1 => messages::chatter_before_login(&mut self.random).into_iter().collect(),
            2..=8 => vec![messages::auth(*id)],
            9 => vec![messages::ask_session(), messages::hello(bot.login(), true)],
            _ => vec![messages::hello(bot.login(), true)],
        }
    }

    /// Passes a message to a player's client.
    pub(super) fn receive(&mut self, conn: ConnId, message: &ServerMessage) {
        let Some(number) = self.environment.wires.get(&conn).map(|wire| wire.player) else { return };
        let player = &mut self.players[number];
        if player.conn != Some(conn) {
            return;
        }
        match message {
            // The player tries again, where a bot would stay away for minutes.
            ServerMessage::AuthenticationFailed(_) => return,
            ServerMessage::GameLaunch(_) => player.is_stalled = false,
            _ => {}
        }
        player.bot.handle(self.now, message);
        self.follow(number);
    }

    /// Sends what the bot wants to send, or something similar; the lobby reads it when the
    /// connection is not held.
    pub(super) fn follow(&mut self, player: usize) {
        while let (Some(conn), Some(action)) =
            (self.players[player].conn, self.players[player].bot.poll_action())
        {
            match action {
                Action::Send(message) => self.send_about(player, conn, message),
                Action::LogOut | Action::Drop => {
                    let at = self.off_the_second(self.now + Duration::from_millis(50));
                    self.put(at, Scheduled::Leave { conn });
                }
            }
        }
        let deadline = self.players[player].bot.next_deadline();
        if let Some(at) = deadline.filter(|at| self.players[player].acts_at != Some(*at)) {
            // Plans are made in whole milliseconds, and not before the deadline.
            self.plan_act(player, at.saturating_sub(self.now) + Duration::from_millis(1));
            self.players[player].acts_at = Some(at);
        }
    }

    /// Sends a message of a client; the lobby reads it when the connection is not held.
    pub(super) fn send(&mut self, conn: ConnId, message: Result<ClientMessage, CommandError>) {
        if let Some(wire) = self.environment.wires.get_mut(&conn) {
            wire.outgoing.push_back(message);
            self.readable.insert(conn);
        }
    }

    /// Called when a player's connection is lost.
    pub(super) fn lost_connection(&mut self, player: usize) {
        self.players[player].conn = None;
        self.players[player].is_odd = false;
        let away = self.players[player].bot.disconnected();
        let delay = match self.random.below(4) {
            0 => self.random.millis(10..1000),
            1 => away,
            _ => self.random.millis(1000..40_000),
        };
        self.plan_act(player, delay);
    }
}
