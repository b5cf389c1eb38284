//! The game process of a bot: from the server's order to start it to its end.

use std::sync::Arc;
use std::time::Duration;

use faf_protocol::gpgnet::{GameState, GameToServer, GpgNetMessage, ServerToGame};
use faf_protocol::server_message::{GameInfo, GameInfoState};
use faf_protocol::{GameId, PlayerId};
use rand::RngExt;

use super::{Action, Activity, Bot, REPLY_TIMEOUT};
use crate::hosting::{Decision, Hosting};
use crate::process::{Agenda, IceAdapter, state};

/// Time limit for getting a seat in a bot's lobby, and in a person's. News of a game takes a
/// second, and people are slow.
const SEAT_TIMEOUTS: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(60));

/// How long a guest stays in a lobby that does not launch, in seconds of a bot's life.
const LONGEST_GUEST_WAIT: f64 = 240.0;

pub(super) fn ended() -> GameToServer {
    state(GameState::Ended)
}

impl Bot {
    /// Starts the game process on the server's order.
    pub(super) fn start_process(&mut self, now: Duration, game: GameId) {
        let plan = match &mut self.activity {
            Activity::Asking(plan) => plan.take(),
            // The reply arrived after the bot had stopped waiting for it.
            Activity::Idle => None,
            _ => return,
        };
        self.activity = Activity::Starting { game, plan, has_started: false };
        self.adapter = IceAdapter::default();
        self.next = now + self.shared.settings.draw(&mut self.rng, &self.shared.settings.process_start);
    }

    /// Handles that the process has started, or has waited for too long.
    pub(super) fn enter_lobby(&mut self, now: Duration) {
        let Activity::Starting { has_started, .. } = &mut self.activity else { return };
        if std::mem::replace(has_started, true) {
            // The host has left meanwhile, which nobody reports to a game process.
            self.end_process(now);
        } else {
            self.send_game_commands([state(GameState::Idle), state(GameState::Lobby)]);
        }
    }

    /// Waits, launches or gives up, as a host.
    pub(super) fn host(&mut self, now: Duration) {
        let Activity::Hosting(hosting) = &mut self.activity else { return };
        let settings = &self.shared.settings;
        let title = hosting.retitle(&mut self.rng, now, settings);
        let decision = hosting.decide(now, settings);
        self.send_game_commands(title);
        match decision {
            Decision::WaitUntil(then) => self.next = then,
            Decision::Launch => self.launch(now),
            Decision::Close => self.end_process(now),
        }
    }

    /// Handles a command of the server for the game process.
    pub(super) fn handle_game_command(&mut self, now: Duration, command: &GpgNetMessage) {
        let Ok(read) = ServerToGame::read(command) else { return };
        let Some(me) = self.view.me else { return };
        match read.command {
            ServerToGame::HostGame { .. } => self.open_lobby(now, me),
            ServerToGame::JoinGame { login, player_id } => {
                if let Activity::Starting { game, plan: None, .. } = self.activity {
                    self.activity = Activity::Joining { game, has_seat: false };
                    let (of_bots, of_people) = SEAT_TIMEOUTS;
                    self.next = now + if self.shared.is_bot(&login) { of_bots } else { of_people };
                }
                // The host makes the offer and gets a reply to it.
                self.adapter.forget(player_id);
            }
            ServerToGame::ConnectToPeer { login, player_id, offer } => {
                if offer {
                    self.negotiate(me, player_id);
                }
                if let Activity::Hosting(hosting) = &mut self.activity {
                    let is_person = !self.shared.is_bot(&login);
                    let peer = (player_id, login.as_str());
                    let commands = hosting.seat(&mut self.rng, now, &self.shared.settings, peer, is_person);
                    self.send_game_commands(commands);
                    self.next = now;
                }
            }
            ServerToGame::DisconnectFromPeer { player_id } => {
                self.adapter.forget(player_id);
                if let Activity::Hosting(hosting) = &mut self.activity {
                    let command = hosting.unseat(player_id);
                    self.send_game_commands(command);
                }
            }
            ServerToGame::IceMsg { sender_id, .. } => self.negotiate(me, sender_id),
            _ => {}
        }
    }

    fn negotiate(&mut self, me: PlayerId, peer: PlayerId) {
        let candidates = self.adapter.candidates(&mut self.rng, &self.shared.settings, me, peer);
        self.send_game_commands(candidates);
    }

    fn open_lobby(&mut self, now: Duration, me: PlayerId) {
        let Activity::Starting { game, plan, .. } = &mut self.activity else { return };
        let Some(plan) = plan.take() else { return };
        let settings = &self.shared.settings;
        let mut hosting = Hosting::new(*plan, *game, now, settings);
        let mut commands = hosting.options();
        let host = (me, self.login.as_str());
        commands.extend(hosting.seat(&mut self.rng, now, settings, host, false));
        self.send_game_commands(commands);
        self.activity = Activity::Hosting(Box::new(hosting));
        self.next = now;
    }

    fn launch(&mut self, now: Duration) {
        let Activity::Hosting(hosting) = &mut self.activity else { return };
        let game = hosting.game;
        let (battle, commands) = hosting.launch(&mut self.rng, &self.shared.settings, &self.view, now);
        self.shared.battles.announce(game, Arc::new(battle), now);
        self.send_game_commands(commands);
        self.begin_battle(now, game);
    }

    /// Handles a change of a game.
    pub(super) fn handle_game_info(&mut self, now: Duration, info: &GameInfo) {
        match &mut self.activity {
            // A game is also reported as closed before it opens.
            Activity::Hosting(hosting)
                if hosting.game == info.uid
                    && info.state == GameInfoState::Closed
                    && info.hosted_at.is_some() =>
            {
                self.end_process(now);
            }
            Activity::Joining { game, has_seat } if *game == info.uid => match info.state {
                GameInfoState::Closed => self.end_process(now),
                GameInfoState::Playing => self.begin_battle(now, info.uid),
                GameInfoState::Open => {
                    let me = self.view.me;
                    let mut seated = info.teams_ids.iter().flat_map(|team| &team.player_ids);
                    if seated.any(|player| Some(*player) == me) && !std::mem::replace(has_seat, true) {
                        let settings = &self.shared.settings;
                        let stays = match self.rng.random_bool(settings.leaves_lobby) {
                            true => settings.draw(&mut self.rng, &(2.0..20.0)),
                            false => settings.time(LONGEST_GUEST_WAIT).max(REPLY_TIMEOUT * 2),
                        };
                        self.next = now + stays;
                    }
                }
            },
            _ => {}
        }
    }

    /// Begins the simulation here as well after the host has launched the game.
    fn begin_battle(&mut self, now: Duration, game: GameId) {
        let Some(me) = self.view.me else { return };
        let (settings, rng) = (&self.shared.settings, &mut self.rng);
        let agenda = match self.shared.battles.find(game) {
            None => Agenda::without_battle(rng, settings, game, now),
            Some(battle) => match battle.place(me) {
                Some(place) => Agenda::of_battle(rng, settings, game, &battle, place, now),
                // It has begun without us.
                None => return self.end_process(now),
            },
        };
        self.send_game_commands([state(GameState::Launching)]);
        self.next = agenda.next().unwrap_or(now);
        self.activity = Activity::Playing(agenda);
    }

    /// Sends the reports that are due, and ends after the last.
    pub(super) fn play(&mut self, now: Duration) {
        let Activity::Playing(agenda) = &mut self.activity else { return };
        let mut reports = Vec::new();
        while let Some(report) = agenda.take_due(now) {
            reports.push(report);
        }
        let loses_connection = agenda.loses_connection(now);
        let next = agenda.next();
        self.send_game_commands(reports);
        let settings = &self.shared.settings;
        match next {
            Some(next) => self.next = next,
            None => {
                self.activity = Activity::Idle;
                self.next = now + settings.draw(&mut self.rng, &settings.rest);
            }
        }
        if loses_connection {
            let away = settings.draw(&mut self.rng, &(3.0..8.0));
            self.leave(away, Action::Drop);
        }
    }
}
