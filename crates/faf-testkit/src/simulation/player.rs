//! What players do with their clients.

use std::time::Duration;

use faf_lobby_core::{ConnId, GameState};
use faf_protocol::gpgnet::ServerToGame;
use faf_protocol::server_message::NoticeStyle;
use faf_protocol::{GameId, PlayerId, ServerMessage};

use super::evening::Evening;
use super::invariants::Violation;
use super::process::{Process, Stage};
use super::sayings;

/// A player with a client.
#[derive(Debug)]
pub(super) struct Bot {
    pub(super) id: PlayerId,
    pub(super) login: String,
    /// The connection the player looks at.
    pub(super) conn: Option<ConnId>,
    /// One that was left behind.
    old: Option<ConnId>,
    pub(super) logged_in: bool,
    has_said_hello: bool,
    /// Asked to host, and not heard of it yet.
    wants_to_host: bool,
    /// The game process; it outlives connections.
    pub(super) process: Option<Process>,
    /// The number of what is planned next.
    pub(super) plan: u64,
}

impl Bot {
    pub(super) fn new(id: PlayerId) -> Self {
        Self {
            id,
            login: format!("p{id}"),
            conn: None,
            old: None,
            logged_in: false,
            has_said_hello: false,
            wants_to_host: false,
            process: None,
            plan: 0,
        }
    }
}

impl Evening {
    /// A player does something.
    pub(super) fn act(&mut self, bot: usize) -> Result<(), Violation> {
        let delay = self.random.millis(1000..20_000);
        self.plan_act(bot, delay);
        if let Some(old) = self.bots[bot].old.take() {
            self.drop_connection(old)?;
        }
        let player = &self.bots[bot];
        match (player.conn, player.logged_in, player.process.is_some()) {
            (None, ..) if self.is_late => Ok(()),
            (None, ..) => {
                let conn = self.connect(bot)?;
                self.bots[bot].conn = Some(conn);
                self.log_in(bot, conn)
            }
            (Some(conn), false, _) if self.random.per_mille(300) => self.drop_connection(conn),
            (Some(conn), false, _) => self.log_in(bot, conn),
            (Some(conn), true, true) => self.act_process(bot, conn),
            (Some(conn), true, false) => self.act_idle(bot, conn),
        }
    }

    fn log_in(&mut self, bot: usize, conn: ConnId) -> Result<(), Violation> {
        if self.bots[bot].has_said_hello && self.random.per_mille(700) {
            return Ok(());
        }
        self.bots[bot].has_said_hello = true;
        let (id, login) = (self.bots[bot].id, self.bots[bot].login.clone());
        match self.random.below(20) {
            0 => self.say(conn, &sayings::hello(&login, false)),
            1 => {
                let saying = sayings::chatter_before_login(&mut self.random);
                self.say(conn, &saying)
            }
            2..=8 => self.say(conn, &sayings::auth(id)),
            9 => {
                self.say(conn, r#"{"command":"ask_session","user_agent":"x","version":"1"}"#)?;
                self.say(conn, &sayings::hello(&login, true))
            }
            _ => self.say(conn, &sayings::hello(&login, true)),
        }
    }

    fn act_idle(&mut self, bot: usize, conn: ConnId) -> Result<(), Violation> {
        let saying = match self.random.below(1000) {
            0..170 => {
                self.bots[bot].wants_to_host = true;
                sayings::game_host(&mut self.random, self.bots[bot].id)
            }
            170..600 => match self.shown_lobby(conn) {
                Some(game) => self.join(game),
                None => return Ok(()),
            },
            600..650 => {
                let game = self.any_game();
                self.join(game)
            }
            650..740 => self.relation(),
            740..765 => {
                let game = self.any_game();
                sayings::restore(game)
            }
            765..850 => sayings::chatter(&mut self.random),
            850..860 => sayings::garbage(&mut self.random),
            860..885 => {
                let delay = self.random.millis(500..120_000);
                self.drop_connection(conn)?;
                self.plan_act(bot, delay);
                return Ok(());
            }
            885..900 => return self.log_in_again(bot, conn),
            _ => return Ok(()),
        };
        self.say(conn, &saying)
    }

    /// The player logs in from elsewhere; the old connection stays.
    pub(super) fn log_in_again(&mut self, bot: usize, old: ConnId) -> Result<(), Violation> {
        let conn = self.connect(bot)?;
        let player = &mut self.bots[bot];
        (player.old, player.conn) = (Some(old), Some(conn));
        (player.logged_in, player.has_said_hello) = (false, false);
        self.log_in(bot, conn)
    }

    fn relation(&mut self) -> String {
        let subject = self.random.within(1..self.plan.players as u64 + 3);
        let is_foe = self.random.per_mille(400);
        let relation = if is_foe { "foe" } else { "friend" };
        let command = if self.random.per_mille(250) { "social_remove" } else { "social_add" };
        sayings::relation(command, relation, subject)
    }

    /// A game that the client shows, and that seems to be open.
    fn shown_lobby(&mut self, conn: ConnId) -> Option<GameId> {
        let shown = self.checker.shown(conn)?;
        let is_open = |game: &&GameId| self.state_of(**game) == Some(GameState::Lobby);
        let open: Vec<GameId> = shown.iter().filter(is_open).copied().collect();
        self.random.pick(&open).copied()
    }

    /// Some number of a game, seen or guessed.
    fn any_game(&mut self) -> GameId {
        let games: Vec<GameId> = self.checker.seen().keys().copied().collect();
        match self.random.pick(&games) {
            Some(game) if self.random.per_mille(800) => *game,
            _ => GameId(self.random.below(60) as u32),
        }
    }

    fn join(&mut self, game: GameId) -> String {
        let host = self.checker.seen().get(&game).map(|seen| seen.host);
        let password = match (self.random.below(4), host) {
            (0 | 1, Some(host)) => Some(sayings::password_of(host)),
            (2, _) => Some("guessed".to_owned()),
            _ => None,
        };
        sayings::game_join(game, password.as_deref())
    }

    /// A player hears something.
    pub(super) fn hear(&mut self, conn: ConnId, message: &ServerMessage) {
        let Some(bot) = self.around.wires.get(&conn).map(|wire| wire.bot) else { return };
        if self.bots[bot].conn != Some(conn) {
            return;
        }
        match message {
            ServerMessage::Welcome(_) => {
                self.bots[bot].logged_in = true;
                if let Some(process) = &mut self.bots[bot].process {
                    process.is_cut_off = true;
                }
                let delay = self.random.millis(50..3000);
                self.plan_act(bot, delay);
            }
            ServerMessage::GameLaunch(launch) => {
                let player = &mut self.bots[bot];
                let is_host = std::mem::take(&mut player.wants_to_host);
                player.process = Some(Process::new(launch.uid, is_host, self.now));
                let delay = self.random.millis(500..8000);
                self.plan_act(bot, delay);
            }
            ServerMessage::Notice(notice) if notice.style == NoticeStyle::Kill => {
                if let Some(process) = &mut self.bots[bot].process {
                    process.stage = Stage::Over;
                }
            }
            ServerMessage::Game(message) => {
                let Some(process) = &mut self.bots[bot].process else { return };
                match ServerToGame::read(message).map(|read| read.command) {
                    Ok(ServerToGame::ConnectToPeer { player_id, .. }) => process.meet(player_id),
                    Ok(ServerToGame::JoinGame { player_id, .. }) => process.meet(player_id),
                    Ok(ServerToGame::DisconnectFromPeer { player_id }) => process.part(player_id),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// A player's connection is gone.
    pub(super) fn lost_connection(&mut self, bot: usize) {
        let player = &mut self.bots[bot];
        player.conn = None;
        (player.logged_in, player.has_said_hello, player.wants_to_host) = (false, false, false);
        let delay = match self.random.below(4) {
            0 => self.random.millis(10..1000),
            _ => self.random.millis(1000..25_000),
        };
        self.plan_act(bot, delay);
    }

    /// Time until a process is expected to do the next thing.
    pub(super) fn plan_soon(&mut self, bot: usize, seconds: u64) {
        let delay = Duration::from_millis(200) + self.random.millis(0..seconds * 1000);
        self.plan_act(bot, delay);
    }
}
