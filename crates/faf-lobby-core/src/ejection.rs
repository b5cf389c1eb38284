//! Connections of players that an operator ends.

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
    /// Handles a new ban. A player who is online is notified and disconnected. For one who is
    /// logging in, everything is read again, including the ban.
    pub(crate) fn banned(&mut self, player: PlayerId, ban: &Ban) {
        self.rated_while_logging_in(player);
        let Some(notice) = login::ban_in_force(self, ban) else { return };
        if let Some(conn) = self.conn_of(player) {
            self.log(LogLine::Ejected { conn, player, why: "the player is banned" });
            self.turn_out(conn, notice);
        }
    }

    /// Handles an operator's request to disconnect a player.
    pub(crate) fn kicked(&mut self, player: PlayerId, reason: String) {
        let Some(conn) = self.conn_of(player) else { return };
        self.log(LogLine::Ejected { conn, player, why: "an operator requested it" });
        let text = if reason.is_empty() { texts::DISCONNECTED_BY_ADMINISTRATOR.to_owned() } else { reason };
        let notice =
            Notice { reason: Some("administrator".to_owned()), ..Notice::new(NoticeStyle::Kick, text) };
        self.turn_out(conn, notice);
    }

    fn conn_of(&self, player: PlayerId) -> Option<ConnId> {
        self.players.get(player).map(|online| online.conn)
    }

    /// Handles changed settings. Deadlines that were set by the old ones, such as login
    /// timeouts, stay.
    pub(crate) fn reconfigured(&mut self, settings: Settings) {
        let interval = settings.ping_interval;
        self.settings = settings;
        self.ping_no_later_than(interval);
    }
}
