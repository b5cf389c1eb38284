//! Clients of a cluster: bots, each at one of the gateways.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use faf_bots::Action;
use faf_lobby_cluster::{GatewayEffect, Receivers};
use faf_lobby_core::{ConnId, Event};
use faf_protocol::{ClientMessage, CommandError, Country, ServerMessage, SessionNumber};

use super::evening::{ClusterEvening, Scheduled};
use super::laws::Violation;
use super::processes::Wire;
use crate::simulation::messages;

impl ClusterEvening {
    /// Lets a player connect, or lets the bot act if its time has come.
    pub(super) fn act(&mut self, player: usize) -> Result<(), Violation> {
        self.players[player].acts_at = None;
        match self.players[player].conn {
            None if self.is_late => Ok(()),
            None => self.come(player),
            Some(_) => {
                self.players[player].bot.handle_timeout(self.now);
                self.follow(player)
            }
        }
    }

    /// Connects a player to any gateway that is a member.
    pub(super) fn come(&mut self, player: usize) -> Result<(), Violation> {
        let choices: Vec<usize> = (0..self.gateways.len()).filter(|at| self.accepts(*at)).collect();
        let Some(gateway) = self.random.pick(&choices).copied() else {
            let delay = self.random.millis(100..900);
            self.plan_act(player, delay);
            return Ok(());
        };
        let conn = self.connect(gateway, player);
        self.players[player].conn = Some(conn);
        self.places[player] = gateway;
        let id = self.players[player].id;
        let login = self.players[player].bot.login().to_owned();
        let greeting = match self.random.below(20) {
            0 if !self.is_calm => vec![messages::hello(&login, false)],
            1..=8 => vec![messages::auth(id)],
            _ => vec![messages::ask_session(), messages::hello(&login, true)],
        };
        self.players[player].bot.connected(self.now, greeting);
        self.follow(player)
    }

    fn accepts(&self, gateway: usize) -> bool {
        let process = &self.gateways[gateway];
        process.faults.is_running()
            && process.faults.paused_until <= self.now
            && process.id().is_some()
            && !process.leaves
    }

    fn connect(&mut self, gateway: usize, player: usize) -> ConnId {
        let process = &mut self.gateways[gateway];
        process.last_conn += 1;
        let conn = process.id().unwrap_or(faf_lobby_cluster::GatewayId(0)).connection(process.last_conn);
        let wire = Wire { player, holds: BTreeSet::new(), is_busy: false, outgoing: VecDeque::new() };
        process.wires.insert(conn, wire);
        let session = SessionNumber(conn.0 as u32);
        process.link.push(&Event::Connected { conn, address: None, country: Country::UNKNOWN, session });
        self.coverage.count("clients connected");
        conn
    }

    /// Sends what the bot wants to send, and plans its next action.
    pub(super) fn follow(&mut self, player: usize) -> Result<(), Violation> {
        while let (Some(conn), Some(action)) =
            (self.players[player].conn, self.players[player].bot.poll_action())
        {
            match action {
                Action::Send(message) => self.send(player, conn, Ok(message)),
                Action::LogOut | Action::Drop => self.drop_connection(self.places[player], conn)?,
            }
        }
        let deadline = self.players[player].bot.next_deadline();
        if let Some(at) = deadline.filter(|at| self.players[player].acts_at != Some(*at)) {
            self.plan_act(player, at.saturating_sub(self.now) + Duration::from_millis(1));
            self.players[player].acts_at = Some(at);
        }
        if self.players[player].conn.is_some() {
            return self.run_gateway(self.places[player], |_, _| {});
        }
        Ok(())
    }

    fn send(&mut self, player: usize, conn: ConnId, message: Result<ClientMessage, CommandError>) {
        let process = &mut self.gateways[self.places[player]];
        if let Some(wire) = process.wires.get_mut(&conn) {
            wire.outgoing.push_back(message);
            process.readable.insert(conn);
        }
    }

    /// Lets a gateway read from all its connections from which it may.
    pub(super) fn read_clients(&mut self, gateway: usize) {
        let process = &mut self.gateways[gateway];
        if process.link.is_full() {
            return;
        }
        while let Some(conn) = process.readable.pop_first() {
            let Some(wire) = process.wires.get_mut(&conn) else { continue };
            if wire.is_busy || !wire.holds.is_empty() {
                continue;
            }
            let Some(message) = wire.outgoing.pop_front() else { continue };
            wire.is_busy = true;
            self.coverage.count("messages of clients");
            process.link.push(&Event::Received { conn, message });
        }
    }

    /// Ends a connection from the client's side.
    pub(super) fn drop_connection(&mut self, gateway: usize, conn: ConnId) -> Result<(), Violation> {
        let process = &mut self.gateways[gateway];
        let Some(wire) = process.wires.remove(&conn) else { return Ok(()) };
        process.logged_in.remove(&conn);
        process.link.push(&Event::Disconnected { conn });
        self.lost_connection(wire.player, conn);
        self.run_gateway(gateway, |_, _| {})
    }

    /// Called when a connection of a player has ended.
    pub(super) fn lost_connection(&mut self, player: usize, conn: ConnId) {
        if self.players[player].conn != Some(conn) {
            return;
        }
        self.players[player].conn = None;
        self.players[player].bot.disconnected();
        let delay = if self.is_calm { 10..500 } else { 10..6000 };
        let delay = self.random.millis(delay);
        self.plan_act(player, delay);
    }

    /// Lets a player do something that bots do not do; most often nothing.
    pub(super) fn misbehave(&mut self, player: usize) -> Result<(), Violation> {
        let delay = self.random.millis(500..5000);
        self.put(self.now + delay, Scheduled::Misbehave { player });
        if let Some((gateway, old)) = self.old_wires[player].take() {
            self.drop_connection(gateway, old)?;
        }
        let Some(conn) = self.players[player].conn else { return Ok(()) };
        let gateway = self.places[player];
        if !self.players[player].bot.is_logged_in() {
            // The player tries again, where a bot would wait.
            return if self.random.per_mille(500) { self.drop_connection(gateway, conn) } else { Ok(()) };
        }
        if self.is_calm {
            return Ok(());
        }
        match self.random.below(100) {
            0..3 => return self.drop_connection(gateway, conn),
            3..6 => {
                self.coverage.count("old connections left open");
                self.old_wires[player] = Some((gateway, conn));
                self.players[player].bot.disconnected();
                self.players[player].conn = None;
                return self.come(player);
            }
            6..16 => {
                let message = messages::chatter(&mut self.random);
                self.send(player, conn, message);
            }
            16..18 => {
                let message = messages::garbage(&mut self.random);
                self.send(player, conn, message);
            }
            18..32 => {
                let subject = self.random.within(1..self.players.len() as u64 + 3);
                let message = messages::relation(&mut self.random, subject);
                self.send(player, conn, message);
            }
            32..36 => {
                let message = messages::process_chatter(&mut self.random);
                self.send(player, conn, message);
            }
            36..42 if self.players[player].bot.hosted_lobby().is_some() => {
                let message = messages::lobby_option(&mut self.random);
                self.send(player, conn, message);
            }
            42..46 if self.players[player].bot.game().is_some() => {
                self.players[player].bot.end_process(self.now);
                return self.follow(player);
            }
            _ => return Ok(()),
        }
        self.run_gateway(gateway, |_, _| {})
    }

    /// Performs an effect at a gateway.
    pub(super) fn perform(&mut self, gateway: usize, effect: GatewayEffect) -> Result<(), Violation> {
        match effect {
            GatewayEffect::Send { to, message } => {
                for conn in self.receivers(gateway, to) {
                    self.receive(gateway, conn, &message)?;
                }
            }
            GatewayEffect::SendList { conn, message: Some(message), .. }
            | GatewayEffect::Relay { to: conn, message, .. } => self.receive(gateway, conn, &message)?,
            GatewayEffect::Hold { conn, reason } => {
                if let Some(wire) = self.gateways[gateway].wires.get_mut(&conn) {
                    wire.holds.insert(reason);
                }
            }
            GatewayEffect::Release { conn, reason } => {
                if let Some(wire) = self.gateways[gateway].wires.get_mut(&conn) {
                    wire.holds.remove(&reason);
                    self.gateways[gateway].readable.insert(conn);
                }
            }
            GatewayEffect::Handled { conn } => {
                if let Some(wire) = self.gateways[gateway].wires.get_mut(&conn) {
                    wire.is_busy = false;
                    self.gateways[gateway].readable.insert(conn);
                }
            }
            GatewayEffect::LoggedIn { conn } => {
                if let Some(wire) = self.gateways[gateway].wires.get(&conn) {
                    self.welcomed.insert(wire.player);
                    self.gateways[gateway].logged_in.insert(conn);
                }
            }
            GatewayEffect::Close { conn, .. } => {
                let process = &mut self.gateways[gateway];
                process.logged_in.remove(&conn);
                if let Some(wire) = process.wires.remove(&conn) {
                    // Its end is noticed as that of any connection.
                    if self.random.per_mille(500) {
                        process.link.push(&Event::Disconnected { conn });
                    }
                    self.lost_connection(wire.player, conn);
                }
            }
            GatewayEffect::SendList { message: None, .. }
            | GatewayEffect::Done { .. }
            | GatewayEffect::LoginFailed { .. } => {}
        }
        Ok(())
    }

    fn receivers(&self, gateway: usize, to: Receivers) -> Vec<ConnId> {
        let logged_in = self.gateways[gateway].logged_in.iter().copied();
        match to {
            Receivers::One(conn) => vec![conn],
            Receivers::Several(conns) => conns,
            Receivers::LoggedIn => logged_in.collect(),
            Receivers::LoggedInExcept(conns) => logged_in.filter(|conn| !conns.contains(conn)).collect(),
        }
    }

    /// Passes a message to a client. The bot acts on it when the gateway has performed all of its
    /// effects that have come.
    fn receive(&mut self, gateway: usize, conn: ConnId, message: &ServerMessage) -> Result<(), Violation> {
        let Some(player) = self.gateways[gateway].wires.get(&conn).map(|wire| wire.player) else {
            return Ok(());
        };
        if self.players[player].conn != Some(conn) {
            return Ok(());
        }
        match message {
            // The player tries again, where a bot would stay away for minutes.
            ServerMessage::AuthenticationFailed(_) => return Ok(()),
            ServerMessage::Pong => {
                self.ponged.insert(player);
            }
            _ => {}
        }
        self.players[player].bot.handle(self.now, message);
        self.touched.insert(player);
        Ok(())
    }

    /// Sends a ping of a player.
    pub(super) fn ping(&mut self, player: usize) -> Result<(), Violation> {
        let Some(conn) = self.players[player].conn else { return Ok(()) };
        self.send(player, conn, Ok(ClientMessage::Ping));
        self.run_gateway(self.places[player], |_, _| {})
    }
}
