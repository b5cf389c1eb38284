//! Orders of the operator: bans, kicks, changes of settings.

use std::time::Duration;

use faf_protocol::PlayerId;
use faf_protocol::server_message::Notice;

use crate::clock::next_on_grid;
use crate::connections::closing;
use crate::io::{Ban, LogLine};
use crate::settings::Settings;
use crate::sign_in::admission;
use crate::sign_in::bans::ban_in_force;
use crate::state::Lobby;
use crate::texts;

/// Handles a new ban. An online player receives the notice and is disconnected. For a player who is
/// being signed in, the profile is read again, and the ban with it.
pub(crate) fn banned(lobby: &mut Lobby, player: PlayerId, ban: &Ban) {
    admission::profile_changed(lobby, player);
    if let Some(notice) = ban_in_force(lobby, ban) {
        eject_banned(lobby, player, notice);
    }
}

/// Disconnects a player, if online, with the notice of a ban.
pub(crate) fn eject_banned(lobby: &mut Lobby, player: PlayerId, notice: Notice) {
    if let Some(conn) = lobby.players.conn(player) {
        lobby.log(LogLine::Ejected { conn, player, why: "the player is banned" });
        closing::eject(lobby, conn, notice);
    }
}

/// Ends a player's connection on the operator's request.
pub(crate) fn kicked(lobby: &mut Lobby, player: PlayerId, reason: String) {
    let Some(conn) = lobby.players.conn(player) else { return };
    lobby.log(LogLine::Ejected { conn, player, why: "an operator requested it" });
    let text = if reason.is_empty() { texts::DISCONNECTED_BY_ADMINISTRATOR.to_owned() } else { reason };
    closing::kick(lobby, conn, "administrator", text);
}

/// Applies changed settings. Timers that run already, such as a login timeout, keep
/// their deadlines.
pub(crate) fn reconfigured(lobby: &mut Lobby, settings: Settings) {
    let interval = settings.ping_interval;
    lobby.settings = settings;
    ping_no_later_than(lobby, interval);
}

/// Moves the next ping forward if the interval between pings has become shorter.
pub(crate) fn ping_no_later_than(lobby: &mut Lobby, interval: Duration) {
    lobby.next_ping = lobby.next_ping.min(next_on_grid(lobby.now.elapsed, interval));
}
