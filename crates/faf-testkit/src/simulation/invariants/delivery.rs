//! Messages sent to clients, and whether they may be sent.

use faf_lobby_core::{Audience, ConnId, GameState};
use faf_protocol::gpgnet::{GpgNetMessage, ServerToGame};
use faf_protocol::server_message::{
    GameInfo, GameInfoState, GameLaunch, GameList, GameType, Player, PlayerList, ServerMessage, Visibility,
};
use faf_protocol::{GameId, PlayerId};

use super::laws::{Law, Violation, broken, ensure};
use super::model::{Announced, Hosted, LoginLists, Received, rating_on};
use super::{Checker, Seen};
use crate::simulation::GLOBAL;

impl Checker {
    /// Processes a message that the lobby sends.
    pub(super) fn sent(&mut self, to: &Audience, message: &ServerMessage) -> Result<(), Violation> {
        match to {
            Audience::One(conn) => self.delivered(*conn, message)?,
            Audience::Several(conns) => {
                for conn in conns {
                    self.delivered(*conn, message)?;
                }
            }
            Audience::LoggedIn | Audience::LoggedInExcept(_) => {
                let others: &[ConnId] = match to {
                    Audience::LoggedInExcept(others) => others,
                    _ => &[],
                };
                // Only messages about games may have a restricted audience.
                if let ServerMessage::GameInfo(info) = message {
                    let conns: Vec<ConnId> = self.online.values().copied().collect();
                    for conn in conns.into_iter().filter(|conn| !others.contains(conn)) {
                        self.game_announced(conn, info)?;
                    }
                }
            }
        }
        match message {
            ServerMessage::PlayerInfo(list) => {
                self.check_ratings(list.players.iter().map(|player| &**player))
            }
            ServerMessage::GameInfo(info) => self.check_order(info, !matches!(to, Audience::One(_))),
            _ => Ok(()),
        }
    }

    fn delivered(&mut self, conn: ConnId, message: &ServerMessage) -> Result<(), Violation> {
        self.connection(conn, "sent a message")?;
        match message {
            ServerMessage::GameInfo(info) => self.game_announced(conn, info),
            ServerMessage::PlayerInfo(list) => {
                self.introduced(conn, list);
                Ok(())
            }
            ServerMessage::GameList(list) => self.listed(conn, list),
            ServerMessage::GameLaunch(launch) => self.launched(conn, launch),
            ServerMessage::Game(message) => self.process_received(conn, message),
            ServerMessage::Welcome(welcome) => {
                let player = self.connections[&conn].player;
                ensure(player == Some(welcome.id), Law::LoginIsProven, || {
                    format!("connection {} is welcomed as player {}", conn.0, welcome.id)
                })
            }
            ServerMessage::PartyInvite(invite) => {
                self.coverage.count("invitations");
                // A sender whom the client has not been sent yet is introduced first.
                if self.login_lists.get(&conn).is_some_and(|lists| lists.players == [invite.sender]) {
                    self.login_lists.remove(&conn);
                }
                Ok(())
            }
            ServerMessage::UpdateParty(party) => {
                self.coverage.add("updates of parties", u64::from(party.members.len() > 1));
                Ok(())
            }
            ServerMessage::SearchInfo(info) => self.search_told(conn, info),
            ServerMessage::MatchFound(found) => self.match_told(conn, &found.queue_name),
            ServerMessage::MatchCancelled(cancelled) => self.cancellation_told(conn, cancelled.game_id),
            ServerMessage::SearchViolation(_) => self.violation_told(conn),
            ServerMessage::SearchTimeout(_) => {
                self.coverage.count("searches refused for violations");
                Ok(())
            }
            ServerMessage::GameJoinFailed(_) => {
                self.coverage.count("joins refused");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Returns whether a player may see a game: the host and its members may, and the players whom
    /// the host admits.
    fn may_see(&self, id: GameId, game: &Hosted, player: PlayerId) -> bool {
        if player == game.host || is_in(&self.seen, id, player) || game.matched.contains(&player) {
            return true;
        }
        let lists = self.lists.get(&game.host);
        game.welcomes(rating_on(self.ratings.get(&player), GLOBAL).rating)
            && match game.visibility {
                Visibility::Public => !lists.is_some_and(|lists| lists.foes.contains(&player)),
                Visibility::Friends => lists.is_some_and(|lists| lists.friends.contains(&player)),
            }
    }

    /// Called before a change of what a player may see. A player who could see a game until now may
    /// receive its end.
    pub(super) fn remember_what_is_seen(&mut self, player: PlayerId) {
        let visible = self.games.iter().filter(|(id, game)| self.may_see(**id, game, player));
        let visible: Vec<_> = visible.map(|(id, _)| (player, *id)).collect();
        self.could_see.extend(visible);
    }

    fn hosted(&self, id: GameId) -> Result<&Hosted, Violation> {
        match self.games.get(&id) {
            Some(game) => Ok(game),
            None => broken(Law::GamesAreHosted, format!("nobody has hosted game {id}")),
        }
    }

    fn game_announced(&mut self, conn: ConnId, info: &GameInfo) -> Result<(), Violation> {
        let id = info.uid;
        let Some(player) = self.connections.get(&conn).and_then(|connection| connection.player) else {
            return broken(Law::HiddenStaysHidden, format!("connection {} is not logged in", conn.0));
        };
        // A player who joins or leaves in this step may receive the message before or after that.
        let may_see = self.may_see(id, self.hosted(id)?, player) || is_in(&self.before, id, player);
        let Some(connection) = self.connections.get_mut(&conn) else { return Ok(()) };
        if info.state == GameInfoState::Closed {
            let was_shown = connection.shown.remove(&id);
            if was_shown && !may_see {
                self.coverage.count("closed sent to take a game away");
            }
            let could_see = self.could_see.contains(&(player, id));
            ensure(may_see || was_shown || could_see, Law::HiddenStaysHidden, || {
                format!("player {player} is sent the end of game {id}")
            })
        } else {
            connection.shown.insert(id);
            ensure(may_see, Law::HiddenStaysHidden, || format!("player {player} is sent game {id}"))
        }
    }

    /// Checks that the messages about a game are sent in order.
    fn check_order(&mut self, info: &GameInfo, is_report: bool) -> Result<(), Violation> {
        let id = info.uid;
        let is_over = self.seen.get(&id).is_none_or(|game| game.state == GameState::Ended);
        self.check_durable(id, info.state)?;
        let Some(game) = self.games.get_mut(&id) else { return Ok(()) };
        let announced = match info.state {
            // The game is being set up, or is hidden from this client now.
            GameInfoState::Closed if !is_over => return Ok(()),
            GameInfoState::Closed => Announced::Over,
            GameInfoState::Open => Announced::Open,
            GameInfoState::Playing => Announced::Playing,
        };
        let before = game.announced;
        // A message to one player is not public.
        if is_report {
            game.announced = announced;
        }
        // The end may be sent again to players who leave the game later.
        ensure(before <= announced, Law::StatesInOrder, || {
            format!("game {id}: {announced:?} after {before:?}")
        })
    }

    fn check_durable(&self, id: GameId, state: GameInfoState) -> Result<(), Violation> {
        let is_kept = self.games.get(&id).is_some_and(|game| game.storing.launch_had_reply);
        ensure(state != GameInfoState::Playing || is_kept, Law::LiveIsDurable, || format!("game {id}"))
    }

    fn listed(&mut self, conn: ConnId, list: &GameList) -> Result<(), Violation> {
        let Some(player) = self.connections.get(&conn).and_then(|connection| connection.player) else {
            return broken(Law::ListIsComplete, format!("connection {} is not logged in", conn.0));
        };
        for info in &list.games {
            self.check_durable(info.uid, info.state)?;
        }
        let mut visible = self.visible_to(player);
        // Games that are being launched come with the next report.
        visible.retain(|id| self.games.get(id).is_some_and(|game| !game.is_launching()));
        let lists = self.login_lists.entry(conn).or_default();
        lists.games.extend(list.games.iter().map(|info| info.uid));
        // The login may receive more than one list.
        if lists.visible.is_none() {
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.shown = visible.iter().copied().collect();
            }
            lists.visible = Some(visible);
        }
        Ok(())
    }

    fn introduced(&mut self, conn: ConnId, list: &PlayerList) {
        let lists = self.login_lists.entry(conn).or_default();
        lists.players.extend(list.players.iter().map(|player| player.id));
        lists.online = self.online.keys().copied().collect();
    }

    /// Checks all lists of each login of this step together.
    pub(super) fn check_login_lists(&mut self) -> Result<(), Violation> {
        for (conn, LoginLists { mut players, online, mut games, visible }) in
            std::mem::take(&mut self.login_lists)
        {
            players.sort_unstable();
            ensure(players == online, Law::RosterIsComplete, || {
                format!("connection {} is sent {players:?}, but {online:?} are online", conn.0)
            })?;
            games.sort_unstable();
            let Some(visible) = visible else { continue };
            ensure(games == visible, Law::ListIsComplete, || {
                let is_only_in = |one: &[GameId], other: &[GameId]| -> Vec<GameId> {
                    one.iter().filter(|id| !other.contains(id)).copied().collect()
                };
                let (wrong, missing) = (is_only_in(&games, &visible), is_only_in(&visible, &games));
                format!(
                    "connection {} is shown {wrong:?}, which it must not see, and not {missing:?}",
                    conn.0
                )
            })?;
        }
        Ok(())
    }

    /// Returns the open and live games that a player may see.
    pub(super) fn visible_to(&self, player: PlayerId) -> Vec<GameId> {
        let listed = self.seen.iter().filter(|(_, game)| game.is_listed);
        let may_see = |id: &GameId| self.games.get(id).is_some_and(|game| self.may_see(*id, game, player));
        listed.map(|(id, _)| *id).filter(may_see).collect()
    }

    fn check_ratings<'a>(&self, players: impl Iterator<Item = &'a Player>) -> Result<(), Violation> {
        // A player who leaves is sent unchanged; their last game may end later.
        for player in players.filter(|player| player.state.is_none()) {
            let stored = rating_on(self.ratings.get(&player.id), GLOBAL);
            let shown = player.ratings.get(GLOBAL);
            let agrees = shown == Some(stored)
                && player.global_rating == stored.rating
                && player.number_of_games == stored.number_of_games;
            ensure(agrees, Law::RatingsAreShown, || {
                format!("player {} is shown with {shown:?}, and has {stored:?}", player.id)
            })?;
        }
        Ok(())
    }

    fn launched(&mut self, conn: ConnId, launch: &GameLaunch) -> Result<(), Violation> {
        let id = launch.uid;
        let connection = self.connection(conn, "told to launch a game")?;
        connection.process_has_command = false;
        let (unhandled, player) = (connection.unhandled.clone(), connection.player);
        let Some(player) = player else {
            return broken(Law::LaunchIsAsked, format!("connection {} is not logged in", conn.0));
        };
        self.processes.insert(player, id);
        if launch.game_type == GameType::Matchmaker {
            return self.match_ordered(player, launch);
        }
        let join = unhandled.iter().find_map(|received| match received {
            Received::Join { game, password } if *game == id => Some(password),
            _ => None,
        });
        if let Some(password) = join {
            self.coverage.count("joins");
            return self.check_join(id, player, password);
        }
        let host = unhandled.iter().find_map(|received| Hosted::new(player, self.now, received));
        let Some(host) = host.filter(|_| !self.games.contains_key(&id)) else {
            return broken(Law::LaunchIsAsked, format!("player {player} starts game {id} unasked"));
        };
        ensure(self.numbers.insert(id), Law::NumbersAreNew, || format!("game {id}"))?;
        self.coverage.count("games hosted");
        if host.visibility == Visibility::Friends {
            self.coverage.count("games hosted for friends");
        }
        if !host.password.is_empty() {
            self.coverage.count("games hosted with a password");
        }
        if host.enforces {
            self.coverage.count("games hosted with an enforced rating range");
        }
        if launch.featured_mod == "coop" {
            self.coverage.count("co-op games hosted");
        }
        self.games.insert(id, host);
        Ok(())
    }

    fn check_join(&mut self, id: GameId, player: PlayerId, password: &str) -> Result<(), Violation> {
        let game = self.hosted(id)?;
        let who = || format!("player {player} joins game {id}");
        ensure(game.password.is_empty() || game.password == password, Law::PasswordIsNeeded, who)?;
        let is_foe = self.lists.get(&game.host).is_some_and(|lists| lists.foes.contains(&player));
        ensure(!is_foe, Law::FoesStayOut, who)?;
        let rating = rating_on(self.ratings.get(&player), GLOBAL).rating;
        ensure(game.welcomes(rating), Law::RatingIsWelcome, who)?;
        let may_see = self.may_see(id, game, player) && self.seen.get(&id).is_none_or(|game| game.is_listed);
        ensure(may_see, Law::HiddenIsUnknown, who)?;
        if !game.password.is_empty() {
            self.coverage.count("joins with the right password");
        }
        Ok(())
    }

    fn process_received(&mut self, conn: ConnId, message: &GpgNetMessage) -> Result<(), Violation> {
        let connection = self.connection(conn, "sent a game command")?;
        let is_first = !std::mem::replace(&mut connection.process_has_command, true);
        let player = connection.player;
        let Some((player, game)) = player.and_then(|player| Some((player, *self.processes.get(&player)?)))
        else {
            return broken(Law::PeersShareAGame, format!("connection {} has no process", conn.0));
        };
        let command = match ServerToGame::read(message) {
            Ok(read) => read.command,
            Err(error) => return broken(Law::PeersShareAGame, error.to_string()),
        };
        let is_guest = self.hosted(game)?.host != player;
        // A player who returns to a game received it before.
        let was_in_it = self.hosted(game)?.ever.contains(&player);
        if is_first && is_guest && !was_in_it {
            ensure(matches!(command, ServerToGame::JoinGame { .. }), Law::JoinGameComesFirst, || {
                format!("player {player} in game {game} is sent {command:?}")
            })?;
        }
        let peer = match command {
            ServerToGame::JoinGame { player_id, .. } => {
                self.coverage.count("guests connected");
                self.joined.push((player, game));
                self.introductions.push((player, player_id, false));
                player_id
            }
            ServerToGame::ConnectToPeer { player_id, offer, .. } => {
                self.introductions.push((player, player_id, offer));
                player_id
            }
            ServerToGame::IceMsg { sender_id, .. } => {
                self.coverage.count("ICE messages delivered");
                sender_id
            }
            _ => return Ok(()),
        };
        ensure(self.processes.get(&peer) == Some(&game), Law::PeersShareAGame, || {
            format!("player {player} in game {game} is connected to player {peer}")
        })
    }

    /// Checks that two players who are introduced in this step are introduced to each other, and
    /// that one of them makes the offer.
    pub(super) fn check_introductions(&self) -> Result<(), Violation> {
        for (who, whom, offers) in &self.introductions {
            let others = self.introductions.iter().filter(|(other, of, _)| (other, of) == (whom, who));
            let answers: Vec<bool> = others.map(|(_, _, offers)| *offers).collect();
            ensure(answers == [!*offers], Law::OneSideOffers, || {
                format!("player {who} offers to {whom}: {offers}, and the other way: {answers:?}")
            })?;
        }
        for (guest, game) in &self.joined {
            let members = self.before.get(game).map(|game| game.members.as_slice()).unwrap_or_default();
            for member in members.iter().filter(|member| *member != guest) {
                let is_introduced =
                    self.introductions.iter().any(|(who, whom, _)| (who, whom) == (guest, member));
                ensure(is_introduced, Law::JoinsMeetEverybody, || {
                    format!("player {guest} in game {game} is not connected to player {member}")
                })?;
            }
        }
        Ok(())
    }
}

fn is_in(games: &Seen, id: GameId, player: PlayerId) -> bool {
    games.get(&id).is_some_and(|game| game.members.contains(&player))
}
