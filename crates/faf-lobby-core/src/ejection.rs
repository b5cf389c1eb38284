//! Players whose connection an operator ends.

use faf_protocol::PlayerId;
use faf_protocol::server_message::{Notice, NoticeStyle};

use crate::effect::LogLine;
use crate::event::ConnId;
use crate::io::records::Ban;
use crate::login;
use crate::settings::Settings;
use crate::texts;
use crate::world::World;

impl World {
    /// A player was banned. One who is online is told and disconnected; for one who is about to be, everything is read again, the
    /// ban with it.
    pub(crate) fn banned(&mut self, player: PlayerId, ban: &Ban) {
        self.rated_while_logging_in(player);
        let Some(notice) = login::ban_in_force(self, ban) else { return };
        if let Some(conn) = self.conn_of(player) {
            self.log(LogLine::Ejected { conn, player, why: "the player is banned" });
            self.turn_out(conn, notice);
        }
    }

    /// The operator wants a player's connection to end.
    pub(crate) fn kicked(&mut self, player: PlayerId, reason: String) {
        let Some(conn) = self.conn_of(player) else { return };
        self.log(LogLine::Ejected { conn, player, why: "the operator has said so" });
        let text = if reason.is_empty() { texts::DISCONNECTED_BY_ADMINISTRATOR.to_owned() } else { reason };
        let notice =
            Notice { reason: Some("administrator".to_owned()), ..Notice::new(NoticeStyle::Kick, text) };
        self.turn_out(conn, notice);
    }

    fn conn_of(&self, player: PlayerId) -> Option<ConnId> {
        self.players.get(player).map(|online| online.conn)
    }

    /// The operator has changed the settings. What was begun with the old ones, such as the time in which somebody has to log in,
    /// ends with them.
    pub(crate) fn reconfigured(&mut self, settings: Settings) {
        let interval = settings.ping_interval;
        self.settings = settings;
        self.ping_no_later_than(interval);
    }
}
