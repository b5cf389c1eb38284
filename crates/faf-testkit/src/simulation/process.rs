//! What game processes do, and what their players make them do.

use std::collections::BTreeSet;
use std::time::Duration;

use faf_lobby_core::ConnId;
use faf_protocol::{GameId, PlayerId};

use super::evening::Evening;
use super::invariants::Violation;
use super::sayings::{self, process};

/// A game process that runs on a player's machine.
#[derive(Debug)]
pub(super) struct Process {
    game: GameId,
    is_host: bool,
    pub(super) stage: Stage,
    /// Processes it is connected to, in the order they came.
    peers: Vec<PlayerId>,
    /// Peers the host has said something about.
    configured: BTreeSet<PlayerId>,
    /// The lobby connection it was started on is gone.
    pub(super) is_cut_off: bool,
    started: Duration,
}

/// How far a process has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Starting,
    Started,
    InLobby,
    Playing,
    /// It has said everything about the results.
    Finished,
    /// It ends.
    Over,
    /// It says nothing more.
    Stalled,
}

/// A game that was launched, as its processes know it among themselves.
#[derive(Debug)]
pub(super) struct Match {
    /// Players with army and team.
    armies: Vec<(PlayerId, i64, i64)>,
    winners: i64,
    ends_at: Duration,
    /// Not everybody tells the truth about the results.
    is_disputed: bool,
}

impl Process {
    pub(super) fn new(game: GameId, is_host: bool, now: Duration) -> Self {
        Self {
            game,
            is_host,
            stage: Stage::Starting,
            peers: Vec::new(),
            configured: BTreeSet::new(),
            is_cut_off: false,
            started: now,
        }
    }

    pub(super) fn meet(&mut self, peer: PlayerId) {
        if !self.peers.contains(&peer) {
            self.peers.push(peer);
        }
    }

    pub(super) fn part(&mut self, peer: PlayerId) {
        self.peers.retain(|other| *other != peer);
    }
}

impl Evening {
    /// A process does something, or its player does.
    pub(super) fn act_process(&mut self, bot: usize, conn: ConnId) -> Result<(), Violation> {
        let Some(process) = &mut self.bots[bot].process else { return Ok(()) };
        let (game, stage) = (process.game, process.stage);
        if std::mem::take(&mut process.is_cut_off) {
            self.plan_soon(bot, 3);
            return if self.random.per_mille(850) {
                self.say(conn, &sayings::restore(game))
            } else {
                self.bots[bot].process = None;
                Ok(())
            };
        }
        match self.random.below(1000) {
            0..8 => return self.crash(bot, conn),
            8..20 => {
                // The client is gone for a while, the process lives on.
                self.drop_connection(conn)?;
                self.plan_soon(bot, 40);
                return Ok(());
            }
            20..25 => return self.log_in_again(bot, conn),
            25..45 => {
                let saying = sayings::process_chatter(&mut self.random);
                return self.say(conn, &saying);
            }
            45..55 => {
                let saying = sayings::chatter(&mut self.random);
                return self.say(conn, &saying);
            }
            _ => {}
        }
        match stage {
            Stage::Starting if self.random.per_mille(25) => {
                self.checker.coverage.count("processes stalled");
                self.stage(bot, Stage::Stalled);
                Ok(())
            }
            Stage::Starting => {
                self.stage(bot, Stage::Started);
                self.plan_soon(bot, 2);
                self.say(conn, &sayings::state("Idle"))
            }
            Stage::Started if self.random.per_mille(25) => {
                self.checker.coverage.count("processes stalled");
                self.stage(bot, Stage::Stalled);
                Ok(())
            }
            Stage::Started => {
                self.stage(bot, Stage::InLobby);
                self.plan_soon(bot, 3);
                self.say(conn, &sayings::state("Lobby"))
            }
            Stage::InLobby => self.act_in_lobby(bot, conn),
            Stage::Playing => self.act_playing(bot, conn),
            Stage::Finished => self.act_finished(bot, conn),
            Stage::Over => self.end_process(bot, conn),
            // The player gives up after some minutes.
            Stage::Stalled if self.random.per_mille(60) => self.end_process(bot, conn),
            Stage::Stalled => Ok(()),
        }
    }

    fn stage(&mut self, bot: usize, stage: Stage) {
        if let Some(process) = &mut self.bots[bot].process {
            process.stage = stage;
        }
    }

    /// The process is gone, and the client notices.
    fn end_process(&mut self, bot: usize, conn: ConnId) -> Result<(), Violation> {
        self.bots[bot].process = None;
        self.say(conn, &sayings::state("Ended"))
    }

    fn crash(&mut self, bot: usize, conn: ConnId) -> Result<(), Violation> {
        self.checker.coverage.count("processes crashed");
        self.end_process(bot, conn)
    }

    fn act_in_lobby(&mut self, bot: usize, conn: ConnId) -> Result<(), Violation> {
        let Some(process) = &self.bots[bot].process else { return Ok(()) };
        if let Some(peer) = self.random.pick(&process.peers).copied()
            && self.random.per_mille(400)
        {
            // Adapters talk to those they were told of; some player guesses.
            let guessed = self.random.within(1..self.plan.players as u64 + 1);
            let to = if self.random.per_mille(50) { guessed } else { u64::from(peer.0) };
            self.say(conn, &sayings::process("IceMsg", &format!(r#"{to},"{{\"sdp\":1}}""#)))?;
        }
        let Some(process) = &self.bots[bot].process else { return Ok(()) };
        if !process.is_host {
            // Guests leave if nothing happens for long.
            let is_bored = self.now > process.started + Duration::from_secs(400);
            return if is_bored || self.random.per_mille(15) { self.end_process(bot, conn) } else { Ok(()) };
        }
        let waits_for_long = self.now > process.started + Duration::from_secs(150);
        let has_guests = !process.peers.is_empty();
        let chance = match (has_guests, waits_for_long) {
            (true, true) => 600,
            (true, false) => 200,
            (false, true) => 100,
            (false, false) => 0,
        };
        self.set_up_lobby(bot, conn)?;
        if self.random.per_mille(chance) { self.launch(bot, conn) } else { Ok(()) }
    }

    /// The host's game tells the lobby what the host has chosen.
    fn set_up_lobby(&mut self, bot: usize, conn: ConnId) -> Result<(), Violation> {
        let id = self.bots[bot].id;
        let Some(game) = &mut self.bots[bot].process else { return Ok(()) };
        let mut all = vec![id];
        all.extend(&game.peers);
        let new: Vec<(usize, PlayerId)> =
            all.iter().copied().enumerate().filter(|(_, player)| game.configured.insert(*player)).collect();
        for (place, player) in new {
            for option in options(place, player) {
                self.say(conn, &process("PlayerOption", &option))?;
            }
        }
        let option = match self.random.below(60) {
            0 => process("GameOption", r#""Title","another title""#),
            1 => process("GameOption", r#""Slots","8""#),
            2 => process("GameOption", r#""ScenarioFile","/maps/scmp_009/scmp_009_scenario.lua""#),
            3 => process("GameOption", r#""FogOfWar","none""#),
            4 => process("GameMods", r#""uids","some-mod other-mod""#),
            5..8 => process("GameMods", r#""activated",0"#),
            8 => process("AIOption", r#""AI: Rush","StartSpot",5"#),
            9 => process("ClearSlot", "5"),
            10 => process("ClearSlot", "2"),
            11 => process("GameOption", r#""Unranked","No""#),
            _ => return Ok(()),
        };
        self.say(conn, &option)
    }

    fn launch(&mut self, bot: usize, conn: ConnId) -> Result<(), Violation> {
        let id = self.bots[bot].id;
        let Some(game) = &self.bots[bot].process else { return Ok(()) };
        let (uid, mut players) = (game.game, vec![id]);
        players.extend(&game.peers);
        // With an odd number, the last one watches.
        if players.len() > 1 && players.len() % 2 == 1 && self.random.per_mille(900) {
            let watches = players.pop().unwrap_or(id);
            for option in ["\"Team\",-1", "\"Army\",-1", "\"StartSpot\",-1"] {
                self.say(conn, &process("PlayerOption", &format!("{watches},{option}")))?;
            }
        }
        let armies = players.iter().enumerate();
        let armies = armies.map(|(place, player)| (*player, place as i64 + 1, team(place))).collect();
        let minutes = self.random.within(2..9);
        let plan = Match {
            armies,
            winners: self.random.within(2..4) as i64,
            ends_at: self.now + Duration::from_secs(minutes * 60),
            is_disputed: self.random.per_mille(200),
        };
        if plan.is_disputed {
            self.checker.coverage.count("launches with contradictions");
        }
        self.matches.insert(uid, plan);
        self.say(conn, &sayings::state("Launching"))?;
        for other in 0..self.bots.len() {
            let is_in = |process: &&mut Process| process.game == uid && process.stage == Stage::InLobby;
            let Some(process) = self.bots[other].process.as_mut().filter(is_in) else { continue };
            process.stage = Stage::Playing;
            // All processes say so, but one that hangs.
            if let Some(conn) = self.bots[other].conn
                && self.random.per_mille(900)
            {
                self.say(conn, &sayings::state("Launching"))?;
            }
        }
        Ok(())
    }

    fn act_playing(&mut self, bot: usize, conn: ConnId) -> Result<(), Violation> {
        let Some(game) = self.bots[bot].process.as_ref().map(|process| process.game) else { return Ok(()) };
        let Some(plan) = self.matches.get(&game) else { return self.end_process(bot, conn) };
        if self.now >= plan.ends_at {
            self.stage(bot, Stage::Finished);
            return self.report(bot, conn, game);
        }
        let player = self.bots[bot].id;
        let saying = match self.random.below(400) {
            0..8 => process("Desync", ""),
            8..16 => process("EnforceRating", ""),
            16..20 => {
                self.checker.coverage.count("teamkills");
                process("TeamkillHappened", &format!(r#"{},"{player}","a","1","b""#, self.random.below(900)))
            }
            20..24 => sayings::state("Launching"),
            24..28 => process("GameResult", r#"1,"victory 10""#),
            28..36 => process("JsonStats", r#""{no stats""#),
            36..39 => process("GameEnded", ""),
            _ => return Ok(()),
        };
        if saying.contains("no stats") {
            self.checker.coverage.count("statistics of garbage");
        }
        self.say(conn, &saying)
    }

    /// A process tells how the game has ended, as it sees it.
    fn report(&mut self, bot: usize, conn: ConnId, game: GameId) -> Result<(), Violation> {
        let Some(plan) = self.matches.get(&game) else { return Ok(()) };
        let (armies, winners, is_disputed) = (plan.armies.clone(), plan.winners, plan.is_disputed);
        for (_, army, team) in &armies {
            let is_victory = (*team == winners) != (is_disputed && self.random.per_mille(400));
            let text = if is_victory { "victory 10" } else { "defeat -10" };
            if is_disputed && self.random.per_mille(200) {
                self.say(conn, &process("GameResult", r#"77,"draw 0""#))?;
            }
            self.say(conn, &process("GameResult", &format!(r#""{army}","{text}""#)))?;
        }
        if self.random.per_mille(400) {
            let names: Vec<String> = armies.iter().map(|(player, ..)| format!("p{player}")).collect();
            self.checker.coverage.count("statistics sent");
            self.say(conn, &sayings::statistics(&names))?;
        }
        self.plan_soon(bot, 10);
        if self.random.per_mille(900) { self.say(conn, &process("GameEnded", "")) } else { Ok(()) }
    }

    fn act_finished(&mut self, bot: usize, conn: ConnId) -> Result<(), Violation> {
        if self.random.per_mille(300) {
            self.say(conn, &process("OperationComplete", r#"true,1,"00:21:03""#))?;
        }
        if self.random.per_mille(950) { self.end_process(bot, conn) } else { Ok(()) }
    }
}

fn team(place: usize) -> i64 {
    2 + (place % 2) as i64
}

/// What a host's game says about a player in this place.
fn options(place: usize, player: PlayerId) -> [String; 5] {
    let (army, team) = (place + 1, team(place));
    [
        format!(r#""{player}","Team",{team}"#),
        format!(r#"{player},"Army",{army}"#),
        format!(r#"{player},"StartSpot",{army}"#),
        format!(r#"{player},"Faction",{}"#, 1 + place % 4),
        format!(r#"{player},"Color",{army}"#),
    ]
}
