//! Who sees a game (games.md section 3.2).

use std::collections::BTreeSet;
use std::sync::Arc;

use faf_protocol::server_message::{GameInfo, GameInfoState, GameList, ServerMessage, Visibility};
use faf_protocol::{GameId, PlayerId};

use crate::effect::{Audience, Effect};
use crate::event::ConnId;
use crate::games::Games;
use crate::games::game::{Game, GameState};
use crate::lists;
use crate::players::{OnlinePlayer, Players};
use crate::publication::Publication;
use crate::world::World;

/// Most bytes of JSON that a report has about games: 384 KiB, as much as four hundred ordinary games
/// take. An evening has three hundred, of which few change in the same second.
const REPORT_BYTES: usize = 384 * 1024;

impl Game {
    /// Whether a player is told of the game.
    pub(crate) fn is_visible_to(&self, viewer: &OnlinePlayer) -> bool {
        let id = viewer.info.id;
        if id == self.host.id || self.is_member(id) {
            return true;
        }
        self.is_welcome(viewer)
            && match self.visibility {
                Visibility::Friends => self.host.friends.contains(&id),
                Visibility::Public => !self.host.foes.contains(&id),
            }
    }

    /// Whether a player knows of the game anyhow: it is visible, or the player was in it and may
    /// come back. To all others its number is as good as one that no game has had, so that nobody
    /// learns of hidden games by trying numbers.
    pub(crate) fn is_known_to(&self, viewer: &OnlinePlayer) -> bool {
        let id = viewer.info.id;
        let was_in_it = match &self.live {
            Some(live) => live.player(id).is_some(),
            None => self.lost.contains(&id) && !self.host.foes.contains(&id),
        };
        was_in_it || self.is_visible_to(viewer)
    }

    /// Whether the player's rating is one the host wants, if that is enforced.
    pub(crate) fn is_welcome(&self, player: &OnlinePlayer) -> bool {
        if !self.enforce_rating_range {
            return true;
        }
        let displayed = player.displayed_rating(&self.leaderboard);
        self.rating_min.is_none_or(|least| displayed >= least)
            && self.rating_max.is_none_or(|most| displayed <= most)
    }

    /// Everybody who is told of the game.
    fn audience(&self, players: &Players) -> Audience {
        let online = |ids: &mut dyn Iterator<Item = PlayerId>| -> Vec<ConnId> {
            ids.filter_map(|id| players.get(id)).map(|player| player.conn).collect()
        };
        if self.enforce_rating_range {
            let sees = |player: &&OnlinePlayer| self.is_visible_to(player);
            return Audience::Several(players.iter().filter(sees).map(|player| player.conn).collect());
        }
        let is_inside = |id: PlayerId| id == self.host.id || self.is_member(id);
        match self.visibility {
            Visibility::Public => {
                let foes = online(&mut self.host.foes.iter().copied().filter(|foe| !is_inside(*foe)));
                if foes.is_empty() { Audience::LoggedIn } else { Audience::LoggedInExcept(foes) }
            }
            Visibility::Friends => {
                let host = std::iter::once(self.host.id).filter(|host| !self.is_member(*host));
                let members = self.members.iter().copied();
                let friends = self.host.friends.iter().copied().filter(|friend| !is_inside(*friend));
                Audience::Several(online(&mut host.chain(members).chain(friends)))
            }
        }
    }
}

impl Games {
    /// Notes that a game is told of; answers whether it was before.
    fn note_told(&mut self, game: GameId) -> bool {
        self.games.get_mut(&game).is_some_and(|game| std::mem::replace(&mut game.is_told, true))
    }
}

impl World {
    /// Tells of the games that have changed, each of them to everybody who may see it.
    ///
    /// Beyond [`REPORT_BYTES`] the rest follows with the next report. Games take turns, so that many
    /// hosts who change theirs all the time slow each other down and fill nobody's line.
    pub(crate) fn report_games(&mut self) {
        let mut told = Vec::new();
        let mut bytes = 0;
        for id in self.games.take_changes() {
            if bytes >= REPORT_BYTES {
                self.games.put_off(id);
                continue;
            }
            let was_told = self.games.note_told(id);
            let Some(info) = self.games.info(id, &self.players) else { continue };
            // Nobody needs to hear of a game that has come and gone meanwhile.
            if let Some(game) = self.games.get(id).filter(|game| was_told || game.state != GameState::Ended) {
                let audience = game.audience(&self.players);
                bytes += lists::game_bytes(&info);
                self.send_to(audience, ServerMessage::GameInfo(Arc::clone(&info)));
                told.push(info);
            }
            self.games.forget_if_over(id);
        }
        if !told.is_empty() {
            self.emit(Effect::Publish(Publication::Games(Arc::new(GameList { games: told }))));
        }
    }

    /// Takes a game out of the list of somebody who has left it, and would not hear of its end.
    pub(crate) fn hide_from(&mut self, viewer: PlayerId, game: GameId) {
        let (Some(online), Some(hidden)) = (self.players.get(viewer), self.games.get(game)) else { return };
        if hidden.is_visible_to(online) {
            return;
        }
        let conn = online.conn;
        if let Some(info) = self.games.info(game, &self.players) {
            self.send(conn, closed(info));
        }
    }

    /// Games have the lists of their host as they are now.
    pub(crate) fn take_over_lists(&mut self, host: PlayerId) {
        let Some(lists) = self.players.get(host) else { return };
        for id in self.games.of_host(host).collect::<Vec<_>>() {
            let Some(game) = self.games.get_mut(id) else { continue };
            game.host.friends.clone_from(&lists.friends);
            game.host.foes.clone_from(&lists.foes);
        }
    }

    /// The host's lists have changed: what appears or disappears for the player they are about.
    pub(crate) fn host_lists_changed(&mut self, host: PlayerId, subject: PlayerId) {
        let before = self.seen_by(subject);
        // Also if the subject is offline, and comes later.
        self.take_over_lists(host);
        self.tell_difference(subject, &before);
        for id in self.games.of_host(host).collect::<Vec<_>>() {
            self.save_game(id, None);
        }
    }

    /// Games that a player sees and was told of, unless that is about to be told.
    pub(crate) fn seen_by(&self, viewer: PlayerId) -> BTreeSet<GameId> {
        let Some(viewer) = self.players.get(viewer) else { return BTreeSet::new() };
        let was_opened = |game: &Game| game.is_listed() || game.hosted_at.is_some() || game.live.is_some();
        let seen = self.games.untold().filter(|game| was_opened(game) && game.is_visible_to(viewer));
        seen.map(|game| game.id).collect()
    }

    /// Tells a player what has appeared and disappeared since these were seen.
    pub(crate) fn tell_difference(&mut self, viewer: PlayerId, before: &BTreeSet<GameId>) {
        let Some(conn) = self.players.get(viewer).map(|online| online.conn) else { return };
        let after = self.seen_by(viewer);
        for id in before.symmetric_difference(&after) {
            let Some(info) = self.games.info(*id, &self.players) else { continue };
            let Some(game) = self.games.get(*id) else { continue };
            let message = match after.contains(id) {
                // The next report tells.
                true if self.games.is_launching(*id) || !game.is_listed() => continue,
                true => {
                    self.games.note_told(*id);
                    ServerMessage::GameInfo(info)
                }
                false => closed(info),
            };
            self.send(conn, message);
        }
    }
}

/// The same game, to be removed.
fn closed(info: Arc<GameInfo>) -> ServerMessage {
    let info = GameInfo { state: GameInfoState::Closed, ..Arc::unwrap_or_clone(info) };
    ServerMessage::GameInfo(Arc::new(info))
}
