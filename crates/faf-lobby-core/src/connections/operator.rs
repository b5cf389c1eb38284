//! Orders of the operator: bans, kicks, changes of settings.

use std::time::Duration;

use faf_protocol::PlayerId;
use faf_protocol::server_message::{Notice, NoticeStyle};

use crate::clock::next_on_grid;
use crate::connections::closing;
use crate::io::conn::ConnId;
use crate::io::log::LogLine;
use crate::io::records::Ban;
use crate::settings::Settings;
use crate::sign_in::admission;
use crate::sign_in::bans::ban_in_force;
use crate::state::Lobby;
use crate::texts;

/// A player was banned. A player who is online is told and disconnected; for one who is being
/// signed in, everything is read again, and with it the ban.
pub(crate) fn banned(lobby: &mut Lobby, player: PlayerId, ban: &Ban) {
    admission::rated_while_logging_in(lobby, player);
    let Some(notice) = ban_in_force(lobby, ban) else { return };
    if let Some(conn) = conn_of(lobby, player) {
        lobby.log(LogLine::Ejected { conn, player, why: "the player is banned" });
        closing::turn_out(lobby, conn, notice);
    }
}

/// The operator wants a player's connection to end.
pub(crate) fn kicked(lobby: &mut Lobby, player: PlayerId, reason: String) {
    let Some(conn) = conn_of(lobby, player) else { return };
    lobby.log(LogLine::Ejected { conn, player, why: "the operator has said so" });
    let text = if reason.is_empty() { texts::DISCONNECTED_BY_ADMINISTRATOR.to_owned() } else { reason };
    let notice = Notice { reason: Some("administrator".to_owned()), ..Notice::new(NoticeStyle::Kick, text) };
    closing::turn_out(lobby, conn, notice);
}

fn conn_of(lobby: &Lobby, player: PlayerId) -> Option<ConnId> {
    lobby.players.get(player).map(|online| online.conn)
}

/// The operator has changed the settings. Everything that was begun with the old ones, such as a
/// login timeout, ends with them.
pub(crate) fn reconfigured(lobby: &mut Lobby, settings: Settings) {
    let interval = settings.ping_interval;
    lobby.settings = settings;
    ping_no_later_than(lobby, interval);
}

/// With a shorter interval between pings, the next one comes sooner.
pub(crate) fn ping_no_later_than(lobby: &mut Lobby, interval: Duration) {
    lobby.next_ping = lobby.next_ping.min(next_on_grid(lobby.now.elapsed, interval));
}
