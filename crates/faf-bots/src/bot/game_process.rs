//! The game process of a bot: from the server's order to start it to its end.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use faf_protocol::gpgnet::{GameState, GameToServer, GpgNetMessage, ServerToGame};
use faf_protocol::server_message::{GameInfo, GameInfoState, GameLaunch};
use faf_protocol::{ClientMessage, GameId, PlayerId};
use rand::RngExt;

use super::{Action, Activity, Bot, MATCH_TIMEOUT, Part, REPLY_TIMEOUT};
use crate::hosting::{Decision, Guest, Hosting};
use crate::incidents;
use crate::matches::{Match, MatchFault};
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
    /// Waits for the order to start the game of a match.
    pub(super) fn match_found(&mut self, now: Duration) {
        if let Activity::Idle | Activity::Asking(_) = self.activity {
            self.activity = Activity::Matched;
            self.next = now + MATCH_TIMEOUT;
            if self.rng.random_bool(self.shared.settings.confirms_matches) {
                self.send(ClientMessage::MatchReady);
            }
        }
    }

    /// Ends the game process of a match that is cancelled, if it does not play already. Some
    /// players' processes go on for a while.
    pub(super) fn match_cancelled(&mut self, now: Duration) {
        let has_started = match self.activity {
            Activity::Matched => return self.rest(now),
            Activity::Starting { part: Part::OfMatch(_), has_started, .. } => has_started,
            Activity::Hosting(ref hosting) if hosting.is_match() => true,
            Activity::Joining { is_match: true, .. } => true,
            _ => return,
        };
        let goes_on = self.rng.random_bool(self.shared.settings.ignores_cancellation);
        match self.game().filter(|_| goes_on) {
            Some(game) => {
                self.activity = Activity::Lingering { game, has_started };
                self.next = now + self.shared.settings.draw(&mut self.rng, &(1.0..60.0));
            }
            None => self.end_process(now),
        }
    }

    /// Continues a process whose match is cancelled: it starts, and then ends.
    pub(super) fn linger(&mut self, now: Duration) {
        let Activity::Lingering { has_started, .. } = &mut self.activity else { return };
        if mem::replace(has_started, true) {
            return self.end_process(now);
        }
        self.send_game_commands([state(GameState::Idle), state(GameState::Lobby)]);
        self.next = now + self.shared.settings.draw(&mut self.rng, &(1.0..60.0));
    }

    /// Starts the game process on the server's order.
    pub(super) fn start_process(&mut self, now: Duration, launch: &GameLaunch) {
        let settings = &self.shared.settings;
        let found = Match::read(launch, &mut self.rng, settings);
        let part = match (&mut self.activity, found) {
            (Activity::Idle | Activity::Asking(_) | Activity::Matched, Some(found)) => {
                Part::OfMatch(Box::new(found))
            }
            (Activity::Asking(plan), None) => plan.take().map_or(Part::Guest, Part::Host),
            // The reply arrived after the bot had stopped waiting for it.
            (Activity::Idle, None) => Part::Guest,
            _ => return,
        };
        let peers = match &part {
            Part::OfMatch(found) => Some(found.players.saturating_sub(1)),
            _ => None,
        };
        self.activity = Activity::Starting { game: launch.uid, part, has_started: false };
        self.adapter = IceAdapter::new(peers.filter(|_| self.rng.random_bool(settings.reports_peers)));
        self.next = now + settings.draw(&mut self.rng, &settings.process_start);
    }

    /// Handles that the process has started, or has waited for too long.
    pub(super) fn enter_lobby(&mut self, now: Duration) {
        let Activity::Starting { game, part, has_started } = &mut self.activity else { return };
        if mem::replace(has_started, true) {
            // The host has left meanwhile, which nobody reports to a game process; or the process
            // of this player does not start.
            return self.end_process(now);
        }
        let Part::OfMatch(found) = part else {
            return self.send_game_commands([state(GameState::Idle), state(GameState::Lobby)]);
        };
        let (game, place, fault) = (*game, found.place, found.fault);
        if let Some(me) = self.view.me
            && fault != Some(MatchFault::IsUnreachable)
        {
            self.shared.introductions.tell(game, me, place, now);
        }
        // The other processes have their time to start.
        self.next = now + MATCH_TIMEOUT;
        match fault {
            Some(MatchFault::NeverStarts) => {
                self.next = now + self.shared.settings.draw(&mut self.rng, &(10.0..180.0));
            }
            Some(MatchFault::ClosesAtOnce) => {
                self.send_game_commands([state(GameState::Idle)]);
                self.end_process(now);
            }
            Some(MatchFault::LosesConnection) => {
                let away = self.shared.settings.draw(&mut self.rng, &(1.0..60.0));
                self.leave(away, Action::Drop);
            }
            _ => {
                self.send_game_commands([state(GameState::Idle), state(GameState::Lobby)]);
                let connecting = self.adapter.connecting();
                self.send_game_commands(connecting);
            }
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
                self.join(now, &login);
                // The host makes the offer and gets a reply to it.
                self.adapter.forget(player_id);
            }
            ServerToGame::ConnectToPeer { login, player_id, offer } => {
                if offer {
                    self.negotiate(me, player_id);
                }
                self.seat(now, player_id, &login);
            }
            ServerToGame::DisconnectFromPeer { player_id } => {
                let lost = self.adapter.lose(player_id);
                self.send_game_commands(lost);
                if let Activity::Hosting(hosting) = &mut self.activity {
                    let command = hosting.unseat(player_id);
                    self.send_game_commands(command);
                }
            }
            ServerToGame::IceMsg { sender_id, .. } => {
                self.negotiate(me, sender_id);
                let established = self.adapter.establish(&mut self.rng, &self.shared.settings, sender_id);
                self.send_game_commands(established);
            }
            _ => {}
        }
    }

    fn negotiate(&mut self, me: PlayerId, peer: PlayerId) {
        let candidates = self.adapter.candidates(&mut self.rng, &self.shared.settings, me, peer);
        self.send_game_commands(candidates);
    }

    fn open_lobby(&mut self, now: Duration, me: PlayerId) {
        let Activity::Starting { game, part, .. } = &mut self.activity else { return };
        let (settings, game) = (&self.shared.settings, *game);
        let mut place = None;
        let mut hosting = match mem::replace(part, Part::Guest) {
            Part::Host(plan) => Hosting::new(*plan, game, now, settings),
            Part::OfMatch(found) => {
                place = Some(found.place);
                Hosting::of_match(*found, game, now, settings)
            }
            Part::Guest => return,
        };
        let mut commands = hosting.options();
        let host = Guest { player: me, login: &self.login, is_person: false, place };
        commands.extend(hosting.seat(&mut self.rng, now, settings, host));
        commands.extend(hosting.try_ai(&mut self.rng, settings));
        self.send_game_commands(commands);
        self.activity = Activity::Hosting(Box::new(hosting));
        self.next = now;
    }

    /// Seats a player whose process is connected to this one, the host's. The process of a match
    /// waits for the player's own to tell its place; that of a person is a real one, which no bot
    /// can ask.
    fn seat(&mut self, now: Duration, player: PlayerId, login: &str) {
        let Activity::Hosting(hosting) = &mut self.activity else { return };
        let is_person = !self.shared.is_bot(login);
        let place = self.shared.introductions.place_of(hosting.game, player);
        if hosting.is_match() && place.is_none() && !is_person {
            return;
        }
        let guest = Guest { player, login, is_person, place };
        let commands = hosting.seat(&mut self.rng, now, &self.shared.settings, guest);
        self.send_game_commands(commands);
        self.next = now;
    }

    /// Joins the host's lobby.
    fn join(&mut self, now: Duration, host: &str) {
        let Activity::Starting { game, part, .. } = &self.activity else { return };
        let (game, settings) = (*game, &self.shared.settings);
        let (of_bots, of_people) = SEAT_TIMEOUTS;
        self.next = now
            + match part {
                Part::Host(_) => return,
                Part::Guest if self.shared.is_bot(host) => of_bots,
                Part::Guest => of_people,
                Part::OfMatch(found) if found.has(MatchFault::LeavesLobby) => {
                    settings.draw(&mut self.rng, &(2.0..20.0))
                }
                Part::OfMatch(_) => MATCH_TIMEOUT,
            };
        let is_match = matches!(part, Part::OfMatch(_));
        self.activity = Activity::Joining { game, is_match, has_seat: is_match };
    }

    fn launch(&mut self, now: Duration) {
        let Activity::Hosting(hosting) = &mut self.activity else { return };
        let game = hosting.game;
        let (battle, commands) = hosting.launch(&mut self.rng, &self.shared.settings, &self.view, now);
        self.shared.battles.announce(game, Arc::new(battle), now);
        self.send_game_commands(commands);
        self.begin_battle(now, game, true);
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
            Activity::Joining { game, has_seat, .. } if *game == info.uid => match info.state {
                GameInfoState::Closed => self.end_process(now),
                GameInfoState::Playing => self.begin_battle(now, info.uid, false),
                GameInfoState::Open => {
                    let me = self.view.me;
                    let mut seated = info.teams_ids.iter().flat_map(|team| &team.player_ids);
                    if seated.any(|player| Some(*player) == me) && !mem::replace(has_seat, true) {
                        let settings = &self.shared.settings;
                        let stays = match self.rng.random_bool(settings.leaves_lobby) {
                            true => settings.draw(&mut self.rng, &(2.0..20.0)),
                            false => settings.time(LONGEST_GUEST_WAIT).max(REPLY_TIMEOUT * 2),
                        };
                        self.next = now + stays;
                        let greeting = incidents::greeting(&mut self.rng, settings);
                        self.send_game_commands(greeting);
                    }
                }
            },
            _ => {}
        }
    }

    /// Begins the simulation here as well after the host has launched the game.
    fn begin_battle(&mut self, now: Duration, game: GameId, is_host: bool) {
        let Some(me) = self.view.me else { return };
        let (settings, rng) = (&self.shared.settings, &mut self.rng);
        let agenda = match self.shared.battles.find(game) {
            None => Agenda::without_battle(rng, settings, game, now),
            Some(battle) => match battle.place(me) {
                Some(place) => Agenda::of_battle(rng, settings, game, &battle, place, is_host, now),
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
