//! Actions of players beyond playing, and faulty clients that change or lose a bot's messages.

use faf_lobby_core::ConnId;
use faf_protocol::client_message::{ClientMessage, GameHost, GameJoin};
use faf_protocol::gpgnet::{GameState, GameToServer, GpgNetMessage};
use faf_protocol::{GameId, Secret};

use super::evening::{Evening, Scheduled};
use super::invariants::Violation;
use super::messages;

impl Evening {
    /// Lets a player do something that bots do not do; most often nothing.
    pub(super) fn misbehave(&mut self, player: usize) -> Result<(), Violation> {
        let delay = self.random.millis(1000..20_000);
        let at = self.off_the_second(self.now + delay);
        self.put(at, Scheduled::Misbehave { player });
        if let Some(old) = self.players[player].old.take() {
            self.drop_connection(old)?;
        }
        let Some(conn) = self.players[player].conn else { return Ok(()) };
        if !self.players[player].bot.is_logged_in() {
            return self.try_again(player, conn);
        }
        let has_process = self.players[player].bot.game().is_some();
        match self.random.below(1000) {
            0..8 if has_process => {
                self.checker.coverage.count("processes crashed");
                return self.end_process(player);
            }
            // The client disconnects for a while, and its game process continues.
            8..20 => return self.drop_connection(conn),
            20..32 => return self.log_in_elsewhere(player, conn),
            32..100 => {
                // It may start a search or restore a game.
                self.players[player].is_odd = true;
                let message = messages::chatter(&mut self.random);
                self.send(conn, message);
            }
            100..107 => {
                let message = messages::garbage(&mut self.random);
                self.send(conn, message);
            }
            107..180 => {
                let subject = self.random.within(1..self.plan.players as u64 + 3);
                let message = messages::relation(&mut self.random, subject);
                self.send(conn, message);
            }
            180..195 => {
                let game = self.any_game();
                self.players[player].is_odd = true;
                self.send(conn, Ok(messages::restore(game)));
            }
            195..300 if has_process => self.odd_report(player, conn),
            300..400 if self.players[player].bot.hosted_lobby().is_some() => {
                let message = messages::lobby_option(&mut self.random);
                self.send(conn, message);
            }
            400..403 if has_process && !self.players[player].is_stalled => {
                self.checker.coverage.count("processes stalled");
                self.players[player].is_stalled = true;
            }
            // The player gives up on a process that hangs.
            403..460 if self.players[player].is_stalled => return self.end_process(player),
            _ => {}
        }
        self.read_all()
    }

    /// A player who is not logged in yet tries again on the same connection.
    fn try_again(&mut self, player: usize, conn: ConnId) -> Result<(), Violation> {
        match self.random.below(10) {
            0..3 => self.drop_connection(conn),
            3..6 => {
                for message in self.greeting(player) {
                    self.send(conn, Ok(message));
                }
                self.read_all()
            }
            _ => Ok(()),
        }
    }

    /// The process ends, and the client notices.
    fn end_process(&mut self, player: usize) -> Result<(), Violation> {
        let was_stalled = std::mem::take(&mut self.players[player].is_stalled);
        // The bot may believe that a process that hangs has ended long ago.
        let hung = was_stalled && self.players[player].bot.game().is_none();
        if let Some(conn) = self.players[player].conn.filter(|_| hung) {
            self.send(conn, messages::process("GameState", r#""Ended""#));
        }
        self.players[player].bot.end_process(self.now);
        self.follow(player);
        self.read_all()
    }

    /// The player logs in from another machine; the old connection stays open for a while.
    fn log_in_elsewhere(&mut self, player: usize, old: ConnId) -> Result<(), Violation> {
        self.players[player].old = Some(old);
        self.players[player].bot.disconnected();
        self.come(player)
    }

    /// A game process reports something that does not belong to its game.
    fn odd_report(&mut self, player: usize, conn: ConnId) {
        let id = self.players[player].id;
        let is_playing = self.players[player].bot.is_playing();
        let message = match self.random.below(100) {
            0..8 if is_playing => messages::process("Desync", ""),
            8..16 if is_playing => messages::process("EnforceRating", ""),
            16..22 if is_playing => {
                self.checker.coverage.count("teamkills");
                messages::process(
                    "TeamkillHappened",
                    &format!(r#"{},"{id}","a","1","b""#, self.random.below(900)),
                )
            }
            22..26 if is_playing => messages::process("GameResult", r#"1,"victory 10""#),
            26..34 if is_playing => {
                self.checker.coverage.count("statistics of garbage");
                messages::process("JsonStats", r#""{no stats""#)
            }
            34..38 if is_playing => messages::process("GameEnded", ""),
            38..46 if is_playing => messages::process("OperationComplete", r#"true,1,"00:21:03""#),
            // Some processes guess the numbers of players whom they were never told to connect to.
            46..54 => {
                let guessed = self.random.within(1..self.plan.players as u64 + 1);
                messages::process("IceMsg", &format!(r#"{guessed},"{{\"sdp\":1}}""#))
            }
            54..80 => {
                self.players[player].is_odd = true;
                messages::process_chatter(&mut self.random)
            }
            _ => return,
        };
        self.send(conn, message);
    }

    /// Sends a message of a bot; a faulty client changes the message or does not send it.
    pub(super) fn send_about(&mut self, player: usize, conn: ConnId, message: ClientMessage) {
        let message = match message {
            ClientMessage::Pong if self.random.per_mille(20) => return,
            ClientMessage::GameHost(request) => ClientMessage::GameHost(self.host_oddly(request)),
            ClientMessage::GameJoin(request) => ClientMessage::GameJoin(self.join_oddly(request)),
            ClientMessage::Game(_) if self.players[player].is_stalled => return,
            ClientMessage::Game(command) => return self.tell_about(player, conn, command),
            other => other,
        };
        self.send(conn, Ok(message));
    }

    fn host_oddly(&mut self, mut request: GameHost) -> GameHost {
        match self.random.below(20) {
            0..4 => request.mapname = Some("unknown_map".to_owned()),
            4 => request.password = Some(Secret::new("")),
            5..7 => (request.rating_min, request.enforce_rating_range) = (Some(300.0), true),
            7 => {
                (request.rating_min, request.rating_max) = (Some(-100.0), Some(900.0));
                request.enforce_rating_range = true;
            }
            _ => {}
        }
        request
    }

    fn join_oddly(&mut self, mut request: GameJoin) -> GameJoin {
        match self.random.below(20) {
            0..3 => request.uid = self.any_game(),
            3..5 => request.password = Some(Secret::new("guessed")),
            5..7 => request.password = None,
            _ => {}
        }
        request
    }

    /// Sends a command of a bot's game process: some hang at the launch, and in disputed games some
    /// report wrong results.
    fn tell_about(&mut self, player: usize, conn: ConnId, command: GpgNetMessage) {
        let Some(game) = self.players[player].bot.game() else {
            return self.send(conn, Ok(ClientMessage::Game(command)));
        };
        let is_host = self.checker.seen().get(&game).is_some_and(|seen| seen.host == self.players[player].id);
        match GameToServer::read(&command).map(|read| read.command) {
            Ok(GameToServer::GameState { state: GameState::Launching }) if is_host => {
                let is_disputed = self.random.per_mille(200) && self.disputed.insert(game);
                self.checker.coverage.add("launches with contradictions", is_disputed.into());
            }
            Ok(GameToServer::GameState { state: GameState::Launching }) if self.random.per_mille(100) => {
                return;
            }
            Ok(GameToServer::GameResult { army, result }) if self.disputed.contains(&game) => {
                if self.random.per_mille(200) {
                    self.send(conn, messages::process("GameResult", r#"77,"draw 0""#));
                }
                if self.random.per_mille(400) {
                    let lie = if result.starts_with("victory") { "defeat -10" } else { "victory 10" };
                    return self.send(conn, messages::process("GameResult", &format!(r#""{army}","{lie}""#)));
                }
            }
            Ok(GameToServer::JsonStats { .. }) if self.random.per_mille(600) => return,
            Ok(GameToServer::JsonStats { .. }) => self.checker.coverage.count("statistics sent"),
            Ok(GameToServer::GameEnded) if self.random.per_mille(100) => return,
            _ => {}
        }
        self.send(conn, Ok(ClientMessage::Game(command)));
    }

    /// Returns the number of a game, known or guessed.
    fn any_game(&mut self) -> GameId {
        let games: Vec<GameId> = self.checker.seen().keys().copied().collect();
        match self.random.pick(&games) {
            Some(game) if self.random.per_mille(800) => *game,
            _ => GameId(self.random.below(60) as u32),
        }
    }
}
