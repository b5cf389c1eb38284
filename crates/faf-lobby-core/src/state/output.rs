//! Output of commands and rules: effects and requests.

use faf_protocol::server_message::ServerMessage;

use crate::io::{Audience, ConnId, Count, Effect, LogLine};
use crate::state::{Lobby, PendingCommand, Progress, Resume, ResumeLobby};

impl Lobby {
    pub(crate) fn send(&mut self, conn: ConnId, message: ServerMessage) {
        self.effects.push_back(Effect::Send { to: Audience::One(conn), message });
    }

    pub(crate) fn send_several(&mut self, conns: Vec<ConnId>, message: ServerMessage) {
        self.send_to(Audience::Several(conns), message);
    }

    /// Sends a message, if there is a receiver.
    pub(crate) fn send_to(&mut self, to: Audience, message: ServerMessage) {
        let is_nobody = match &to {
            Audience::One(_) => false,
            Audience::Several(conns) => conns.is_empty(),
            Audience::LoggedIn => self.players.len() == 0,
            Audience::LoggedInExcept(conns) => conns.len() >= self.players.len(),
        };
        if !is_nobody {
            self.effects.push_back(Effect::Send { to, message });
        }
    }

    /// Sends a message to every client that is logged in.
    pub(crate) fn broadcast(&mut self, message: ServerMessage) {
        if self.players.len() > 0 {
            self.count(Count::Broadcast);
            self.effects.push_back(Effect::Send { to: Audience::LoggedIn, message });
        }
    }

    pub(crate) fn emit(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(crate) fn count(&mut self, count: Count) {
        self.effects.push_back(Effect::Count(count));
    }

    pub(crate) fn log(&mut self, line: LogLine) {
        self.effects.push_back(Effect::Log(line));
    }

    /// Makes a request. The command continues in [`Resume::resume`] when the reply comes.
    pub(crate) fn request<R: Resume>(&mut self, conn: ConnId, request: R, memo: R::Memo) -> Progress {
        let ticket = self.pending.insert(PendingCommand { conn, memo });
        self.effects.push_back(Effect::Request { conn: Some(conn), request: request.request(ticket) });
        Progress::Pending
    }

    /// Makes a request for which no connection waits.
    pub(crate) fn request_for_lobby<R: ResumeLobby>(&mut self, request: R, memo: R::Memo) {
        let ticket = self.pending.insert(memo);
        self.effects.push_back(Effect::Request { conn: None, request: request.request(ticket) });
    }
}
