//! The game process of a bot: from the server's order to start it to its end.

use std::sync::Arc;
use std::time::Duration;

use faf_protocol::gpgnet::{GameState, GpgNetMessage, ServerToGame};
use faf_protocol::server_message::{GameInfo, GameInfoState};
use faf_protocol::{GameId, PlayerId};

use super::{ANSWER_TIMEOUT, Bot, Doing, Order};
use crate::demo::hosting::{Decision, Hosting};
use crate::demo::process::{Adapter, Agenda, state};
use crate::demo::tempo::happens;

/// How long a bot waits for a seat in a bot's lobby, and in somebody else's. The news take a second each, and people take
/// their time.
const SEAT_TIMEOUTS: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(60));

/// How long a bot stays in a lobby that does not begin, in seconds of its life.
const LOBBY_PATIENCE: f64 = 240.0;

/// How likely a bot leaves a lobby it has a seat in.
const CHANGES_ITS_MIND: f64 = 0.08;

/// How long nothing happens behind a game, in seconds of a bot's life: without breaks, nobody would be left for new games.
const BREAK: (f64, f64) = (10.0, 50.0);

impl Bot {
    /// The server wants the game process to be started.
    pub(super) fn start_process(&mut self, now: Duration, game: GameId) {
        if let Doing::Asking(plan) = &mut self.doing {
            self.doing = Doing::Starting { game, plan: plan.take(), has_started: false };
            self.adapter = Adapter::default();
            self.next = now + self.world.tempo.some(&mut self.rng, 1.0..3.0);
        }
    }

    /// The process has started, or has waited for too long.
    pub(super) fn enter_lobby(&mut self, now: Duration) {
        let Doing::Starting { has_started, .. } = &mut self.doing else { return };
        if std::mem::replace(has_started, true) {
            // The host has left meanwhile, of which a game process hears nothing.
            self.end_process(now);
        } else {
            self.tell([state(GameState::Idle), state(GameState::Lobby)]);
        }
    }

    /// Waits, launches or gives up, as a host.
    pub(super) fn decide(&mut self, now: Duration) {
        let Doing::Hosting(hosting) = &mut self.doing else { return };
        match hosting.decide(now, self.world.tempo) {
            Decision::WaitUntil(then) => self.next = then,
            Decision::Launch => self.launch(now),
            Decision::Close => self.end_process(now),
        }
    }

    pub(super) fn end_process(&mut self, now: Duration) {
        if !matches!(self.doing, Doing::Arriving | Doing::Looking) {
            self.tell([state(GameState::Ended)]);
            self.look_around(now);
        }
    }

    /// The server has a command for the game process.
    pub(super) fn hear_order(&mut self, now: Duration, command: &GpgNetMessage) {
        let Ok(read) = ServerToGame::read(command) else { return };
        let Some(me) = self.view.me else { return };
        match read.command {
            ServerToGame::HostGame { .. } => self.open_lobby(now, me),
            ServerToGame::JoinGame { login, player_id } => {
                if let Doing::Starting { game, plan: None, .. } = self.doing {
                    self.doing = Doing::Joining { game, has_seat: false };
                    let (of_bots, of_people) = SEAT_TIMEOUTS;
                    self.next = now + if self.world.stage.is_cast(&login) { of_bots } else { of_people };
                }
                // The host makes the offer; his candidates will be answered.
                self.adapter.forget(player_id);
            }
            ServerToGame::ConnectToPeer { login, player_id, offer } => {
                if offer {
                    self.connect(me, player_id);
                }
                if let Doing::Hosting(hosting) = &mut self.doing {
                    let is_person = !self.world.stage.is_cast(&login);
                    let peer = (player_id, login.as_str());
                    let orders = hosting.seat(&mut self.rng, now, self.world.tempo, peer, is_person);
                    self.tell(orders);
                    self.next = now;
                }
            }
            ServerToGame::DisconnectFromPeer { player_id } => {
                self.adapter.forget(player_id);
                if let Doing::Hosting(hosting) = &mut self.doing {
                    let order = hosting.unseat(player_id);
                    self.tell(order);
                }
            }
            ServerToGame::IceMsg { sender_id, .. } => self.connect(me, sender_id),
            ServerToGame::Unknown { .. } => {}
        }
    }

    fn connect(&mut self, me: PlayerId, peer: PlayerId) {
        let candidates = self.adapter.candidates(&mut self.rng, me, peer);
        self.tell(candidates);
    }

    fn open_lobby(&mut self, now: Duration, me: PlayerId) {
        let Doing::Starting { game, plan: Some(plan), .. } = &mut self.doing else { return };
        let mut hosting = Hosting::new((**plan).clone(), *game, now, self.world.tempo);
        let mut orders = hosting.options();
        let host = (me, self.account.login.as_str());
        orders.extend(hosting.seat(&mut self.rng, now, self.world.tempo, host, false));
        self.tell(orders);
        self.doing = Doing::Hosting(Box::new(hosting));
        self.next = now;
    }

    fn launch(&mut self, now: Duration) {
        let Doing::Hosting(hosting) = &mut self.doing else { return };
        let game = hosting.game;
        let (battle, orders) = hosting.launch(&mut self.rng, self.world.tempo, &self.view, now);
        self.world.battles.announce(game, Arc::new(battle), now);
        self.tell(orders);
        self.begin_battle(now, game);
    }

    pub(super) fn hear_of_game(&mut self, now: Duration, info: &GameInfo) {
        match &mut self.doing {
            // A game is called closed before it is opened, too.
            Doing::Hosting(hosting)
                if hosting.game == info.uid
                    && info.state == GameInfoState::Closed
                    && info.hosted_at.is_some() =>
            {
                self.end_process(now);
            }
            Doing::Joining { game, has_seat } if *game == info.uid => match info.state {
                GameInfoState::Closed => self.end_process(now),
                GameInfoState::Playing => self.begin_battle(now, info.uid),
                GameInfoState::Open => {
                    let me = self.view.me;
                    let is_seated = info
                        .teams_ids
                        .iter()
                        .flat_map(|team| &team.player_ids)
                        .any(|player| Some(*player) == me);
                    if is_seated && !*has_seat {
                        *has_seat = true;
                        let stays = match happens(&mut self.rng, CHANGES_ITS_MIND) {
                            true => self.world.tempo.some(&mut self.rng, 2.0..20.0),
                            false => self.world.tempo.seconds(LOBBY_PATIENCE).max(ANSWER_TIMEOUT * 2),
                        };
                        self.next = now + stays;
                    }
                }
            },
            _ => {}
        }
    }

    /// The host has launched the game: the simulation begins here, too.
    fn begin_battle(&mut self, now: Duration, game: GameId) {
        let Some(me) = self.view.me else { return };
        let (tempo, rng) = (self.world.tempo, &mut self.rng);
        let agenda = match self.world.battles.find(game) {
            None => Agenda::without_battle(rng, tempo, game, now),
            Some(battle) => match battle.place(me) {
                Some(place) => Agenda::of_battle(rng, tempo, game, &battle, place, now),
                // It has begun without us.
                None => return self.end_process(now),
            },
        };
        self.tell([state(GameState::Launching)]);
        self.next = agenda.next().unwrap_or(now);
        self.doing = Doing::Playing(agenda);
    }

    pub(super) fn play(&mut self, now: Duration) {
        let Doing::Playing(agenda) = &mut self.doing else { return };
        let mut said = Vec::new();
        while let Some(step) = agenda.take_due(now) {
            said.push(step);
        }
        let crashes = agenda.crashes(now);
        let next = agenda.next();
        self.tell(said);
        match next {
            Some(next) => self.next = next,
            None => {
                self.look_around(now);
                let (from, to) = BREAK;
                self.next = now + self.world.tempo.some(&mut self.rng, from..to);
            }
        }
        if crashes {
            let away = self.world.tempo.some(&mut self.rng, 3.0..8.0);
            self.leave(away, Order::Crash);
        }
    }
}
