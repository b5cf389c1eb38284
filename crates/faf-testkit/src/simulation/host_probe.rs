//! Asks a copy of the lobby to host a game for a player who should be free to.

use faf_lobby_core::{Audience, ConnId, Effect, Event, Moment, World};
use faf_protocol::server_message::{NoticeStyle, ServerMessage};

use super::messages;

/// Asks to host a game, and returns the text of the refusal, if there is one. The lobby is changed,
/// so it must be a copy; asking for several players, one after the other, is fine.
pub(super) fn probe_host(world: &mut World, now: Moment, conn: ConnId) -> Option<String> {
    let message = messages::host();
    world.handle(now, Event::Received { conn, message });
    let mut refusal = None;
    while let Some(effect) = world.poll_effect() {
        if let Effect::Send { to: Audience::One(to), message: ServerMessage::Notice(notice) } = effect
            && to == conn
            && notice.style == NoticeStyle::Error
        {
            refusal = Some(notice.text.unwrap_or_default());
        }
    }
    refusal
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::Settings;

    use super::*;
    use crate::lobby::SimulatedLobby;
    use crate::store::FakeStore;

    #[test]
    fn a_player_who_is_busy_is_refused_and_another_is_not() {
        let mut lobby = SimulatedLobby::new(Settings::default(), FakeStore::with_accounts(["p1", "p2"]));
        let (busy, free) = (lobby.log_in("p1"), lobby.log_in("p2"));
        lobby.send(busy, r#"{"command":"game_host","visibility":"public"}"#);
        let mut copy = lobby.world.clone();
        let refusal = probe_host(&mut copy, lobby.moment(), busy);
        assert_eq!(refusal.as_deref(), Some("Can't host a game while in state STARTING_GAME"));
        assert_eq!(probe_host(&mut copy, lobby.moment(), free), None);
    }
}
