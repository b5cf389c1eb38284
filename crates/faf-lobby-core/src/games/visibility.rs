//! Visibility: which players see a game (games.md section 3.2).

use std::collections::BTreeSet;
use std::sync::Arc;

use faf_protocol::server_message::{GameInfo, GameInfoState, GameList, ServerMessage, Visibility};
use faf_protocol::{GameId, PlayerId};

use crate::io::{Audience, ConnId, Effect, Publication};
use crate::snapshots::size;
use crate::state::{Game, GameState, Games, Lobby, OnlinePlayer, Players};

/// Maximum JSON bytes about games in a report: 64 KiB, as much as 65 ordinary games take. An
/// evening has three hundred, of which few change in the same second. Every client is sent them, so
/// twice as much takes everybody's pings twice as long.
const REPORT_BYTES: usize = 64 * 1024;

impl Game {
    /// Returns whether a player sees the game.
    pub(crate) fn is_visible_to(&self, viewer: &OnlinePlayer) -> bool {
        let id = viewer.info.id;
        if self.is_of(id) {
            return true;
        }
        self.is_welcome(viewer)
            && match self.visibility {
                Visibility::Friends => self.host.friends.contains(&id),
                Visibility::Public => !self.host.foes.contains(&id),
            }
    }

    /// Returns whether a player belongs to the game, whatever its host thinks of them: the host, a
    /// member, or a player of the match for which it was made.
    fn is_of(&self, player: PlayerId) -> bool {
        player == self.host.id
            || self.is_member(player)
            || self.arranged.as_ref().is_some_and(|arranged| arranged.slots.contains_key(&player))
    }

    /// Returns whether a player may know of the game: it is visible, or the player was in it and
    /// may return. For all others its id is like one that no game has had, so that nobody learns of
    /// hidden games by trying ids.
    pub(crate) fn is_known_to(&self, viewer: &OnlinePlayer) -> bool {
        let id = viewer.info.id;
        let was_in_it = match &self.live {
            Some(live) => live.player(id).is_some(),
            None => self.lost.contains(&id) && !self.host.foes.contains(&id),
        };
        was_in_it || self.is_visible_to(viewer)
    }

    /// Returns whether the player's rating is within the host's bounds, if these are enforced.
    pub(crate) fn is_welcome(&self, player: &OnlinePlayer) -> bool {
        if !self.enforce_rating_range {
            return true;
        }
        let displayed = player.displayed_rating(&self.leaderboard);
        self.rating_min.is_none_or(|least| displayed >= least)
            && self.rating_max.is_none_or(|most| displayed <= most)
    }

    /// Returns the connections of all players who see the game.
    fn audience(&self, players: &Players) -> Audience {
        let online = |ids: &mut dyn Iterator<Item = PlayerId>| -> Vec<ConnId> {
            ids.filter_map(|id| players.conn(id)).collect()
        };
        if self.enforce_rating_range {
            let sees = |player: &&OnlinePlayer| self.is_visible_to(player);
            return Audience::Several(players.iter().filter(sees).map(|player| player.conn).collect());
        }
        match self.visibility {
            Visibility::Public => {
                let foes = online(&mut self.host.foes.iter().copied().filter(|foe| !self.is_of(*foe)));
                if foes.is_empty() { Audience::LoggedIn } else { Audience::LoggedInExcept(foes) }
            }
            Visibility::Friends => {
                let host = std::iter::once(self.host.id).filter(|host| !self.is_member(*host));
                let members = self.members.iter().copied();
                let friends = self.host.friends.iter().copied().filter(|friend| !self.is_of(*friend));
                Audience::Several(online(&mut host.chain(members).chain(friends)))
            }
        }
    }
}

impl Games {
    /// Records that clients have received a game, and returns whether they had before.
    fn mark_reported(&mut self, game: GameId) -> bool {
        self.games.get_mut(&game).is_some_and(|game| std::mem::replace(&mut game.is_told, true))
    }
}

/// Reports the games that have changed, each of them to all players who may see it.
///
/// Beyond [`REPORT_BYTES`] the rest follows with the next report. Games take turns, so that many
/// hosts who change theirs all the time only slow each other down, and no connection is filled.
pub(crate) fn report_games(lobby: &mut Lobby) {
    let mut reported = Vec::new();
    let mut bytes = 0;
    for id in lobby.games.take_changes() {
        if bytes >= REPORT_BYTES {
            lobby.games.put_off(id);
            continue;
        }
        let was_reported = lobby.games.mark_reported(id);
        let Some(info) = lobby.games.info(id, &lobby.players) else { continue };
        // A game that has come and gone between two reports is not reported.
        if let Some(game) = lobby.games.get(id).filter(|game| was_reported || game.state != GameState::Ended)
        {
            let audience = game.audience(&lobby.players);
            bytes += size::game_bytes(&info);
            lobby.send_to(audience, ServerMessage::GameInfo(Arc::clone(&info)));
            reported.push(info);
        }
        lobby.games.forget_if_over(id);
    }
    if !reported.is_empty() {
        lobby.emit(Effect::Publish(Publication::Games(Arc::new(GameList { games: reported }))));
    }
}

/// Removes a game from the list of a player who has left it, and would not be notified of its end.
pub(crate) fn hide_from(lobby: &mut Lobby, viewer: PlayerId, game: GameId) {
    let (Some(online), Some(hidden)) = (lobby.players.get(viewer), lobby.games.get(game)) else { return };
    if hidden.is_visible_to(online) {
        return;
    }
    let conn = online.conn;
    if let Some(info) = lobby.games.info(game, &lobby.players) {
        lobby.send(conn, closed(info));
    }
}

/// Returns the games that a player sees and has received, without those that the next
/// report contains.
pub(crate) fn seen_by(lobby: &Lobby, viewer: PlayerId) -> BTreeSet<GameId> {
    let Some(viewer) = lobby.players.get(viewer) else { return BTreeSet::new() };
    let was_opened = |game: &Game| game.is_listed() || game.hosted_at.is_some() || game.live.is_some();
    let seen = lobby.games.current().filter(|game| was_opened(game) && game.is_visible_to(viewer));
    seen.map(|game| game.id).collect()
}

/// Sends a player the games that have appeared and disappeared since `before`.
pub(crate) fn send_difference(lobby: &mut Lobby, viewer: PlayerId, before: &BTreeSet<GameId>) {
    let Some(conn) = lobby.players.conn(viewer) else { return };
    let after = seen_by(lobby, viewer);
    for id in before.symmetric_difference(&after) {
        let Some(info) = lobby.games.info(*id, &lobby.players) else { continue };
        let Some(game) = lobby.games.get(*id) else { continue };
        let message = match after.contains(id) {
            // The next report contains it.
            true if lobby.games.is_launching(*id) || !game.is_listed() => continue,
            true => {
                lobby.games.mark_reported(*id);
                ServerMessage::GameInfo(info)
            }
            false => closed(info),
        };
        lobby.send(conn, message);
    }
}

/// Returns the same game as closed, which removes it.
fn closed(info: Arc<GameInfo>) -> ServerMessage {
    let info = GameInfo { state: GameInfoState::Closed, ..Arc::unwrap_or_clone(info) };
    ServerMessage::GameInfo(Arc::new(info))
}
