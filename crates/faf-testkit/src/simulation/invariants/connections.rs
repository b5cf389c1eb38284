//! Connections, their messages, and their logins.

use std::cmp::Ordering;

use faf_lobby_core::results::Report;
use faf_lobby_core::{Account, ConnId, Event, HoldReason, Relation, Reply, Request};
use faf_protocol::client_message::{GameHost, GameJoin};
use faf_protocol::gpgnet::{GameState as ProcessState, GameToServer, GpgNetMessage};
use faf_protocol::{ClientMessage, CommandError, GameId, PlayerId, Secret};

use super::Checker;
use super::laws::{Law, Violation, broken, ensure};
use super::model::{About, Connection, Fact, Lists, Open, Received};

/// Maximum number of concurrent sign-ins.
const LOGINS_AT_ONCE: usize = 64;

impl Checker {
    /// Processes an event before the lobby's effects.
    pub(super) fn event(&mut self, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Connected { conn, .. } => {
                self.coverage.count("connections");
                self.connections.insert(*conn, Connection::default());
            }
            Event::Received { conn, message } => self.received(*conn, message),
            Event::Heard { .. } => self.coverage.count("bytes of unfinished messages"),
            Event::Disconnected { conn } => {
                self.coverage.count("connections lost");
                self.forget(*conn);
            }
            Event::Replied { reply } => return self.replied(reply),
            Event::Banned { .. } => self.coverage.count("bans of players who may be online"),
            Event::Kicked { .. } => self.coverage.count("players kicked by the operator"),
            Event::Notification { .. } => self.coverage.count("messages of other services"),
            Event::AvatarChanged { .. } => self.coverage.count("avatars changed by other services"),
            Event::Reconfigured { .. } => self.coverage.count("changes of settings"),
            Event::Shutdown => {
                self.is_draining = true;
                self.coverage.count("graceful shutdowns");
            }
        }
        Ok(())
    }

    fn received(&mut self, conn: ConnId, message: &Result<ClientMessage, CommandError>) {
        let player = self.connections.get(&conn).and_then(|connection| connection.player);
        let received = match message {
            Ok(ClientMessage::GameHost(request)) => host(request),
            Ok(ClientMessage::GameJoin(request)) => join(request),
            Ok(ClientMessage::RestoreGameSession(request)) => Received::Restore(request.game_id),
            Ok(ClientMessage::Game(message)) => self.received_from_process(player, message),
            _ => Received::Other,
        };
        // A result may be the sign that the game has begun, whether the lobby can parse it or not;
        // an extra sign breaks no law.
        let begun = match &received {
            Received::Begun(game, player) => Some((*game, *player)),
            Received::Fact(game, _) => player.map(|player| (*game, player)),
            _ => None,
        };
        if let Some((game, player)) = begun
            && let Some(game) = self.games.get_mut(&game)
        {
            game.begun.insert(player);
        }
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let is_heartbeat = matches!(message, Ok(ClientMessage::Ping | ClientMessage::Pong));
        // A heartbeat is answered even while a command is in progress.
        if !is_heartbeat || connection.unhandled.is_empty() {
            connection.unhandled.push_back(received);
        }
    }

    fn received_from_process(&self, player: Option<PlayerId>, message: &GpgNetMessage) -> Received {
        let (Some(player), Ok(read)) = (player, GameToServer::read(message)) else { return Received::Other };
        let game = self.games_of(player).next();
        let fact = match read.command {
            GameToServer::GameState { state: ProcessState::Idle } => return Received::Idle,
            GameToServer::GameState { state: ProcessState::Launching } | GameToServer::JsonStats { .. } => {
                return game.map_or(Received::Other, |game| Received::Begun(game, player));
            }
            GameToServer::TeamkillHappened { .. } => {
                return game.map_or(Received::Other, |game| Received::Begun(game, player));
            }
            GameToServer::GameResult { army, result } => {
                Report::read(player, army, &result).map(Fact::Result)
            }
            GameToServer::Desync => Some(Fact::Desync(player)),
            GameToServer::EnforceRating => Some(Fact::EnforceRating(player)),
            GameToServer::GameEnded => Some(Fact::Done(player)),
            _ => None,
        };
        match (game, fact) {
            (Some(game), Some(fact)) => Received::Fact(game, fact),
            _ => Received::Other,
        }
    }

    /// Returns the games that a player is in; at most one.
    pub(super) fn games_of(&self, player: PlayerId) -> impl Iterator<Item = GameId> {
        self.seen.iter().filter(move |(_, game)| game.members.contains(&player)).map(|(id, _)| *id)
    }

    pub(super) fn held(&mut self, conn: ConnId, reason: HoldReason) -> Result<(), Violation> {
        ensure(reason != HoldReason::OverRate, Law::NobodyIsTooFast, || format!("{conn:?} is"))?;
        let is_new = self.connection(conn, "held")?.holds.insert(reason);
        ensure(is_new, Law::ReadInTurn, || format!("connection {} was held already: {reason:?}", conn.0))
    }

    pub(super) fn released(&mut self, conn: ConnId, reason: HoldReason) -> Result<(), Violation> {
        let was_held = self.connection(conn, "released")?.holds.remove(&reason);
        ensure(was_held, Law::ReadInTurn, || format!("connection {} was not held: {reason:?}", conn.0))
    }

    pub(super) fn done(&mut self, conn: ConnId) -> Result<(), Violation> {
        // The connection may have been closed later in the same step.
        let Some(connection) = self.connections.get_mut(&conn) else { return Ok(()) };
        match connection.unhandled.pop_front() {
            None => broken(Law::DoneOnce, format!("connection {} had sent nothing", conn.0)),
            Some(Received::Fact(game, fact)) => {
                self.acknowledged(game, fact);
                Ok(())
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn closed(&mut self, conn: ConnId) -> Result<(), Violation> {
        self.connection(conn, "closed")?;
        self.coverage.count("connections closed by the lobby");
        self.forget(conn);
        Ok(())
    }

    fn forget(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.remove(&conn) else { return };
        if let Some(player) = connection.player
            && self.online.get(&player) == Some(&conn)
        {
            self.online.remove(&player);
            self.processes.remove(&player);
            self.losses.record(player, self.now);
            self.forget_searches(player);
        }
    }

    /// Takes over the stored friends and foes of a player who logs in. They may have changed while
    /// the player was offline, and others are sent the games that appear or disappear for them
    /// earlier in the same step.
    pub(super) fn take_over_lists(&mut self, conn: ConnId) {
        let connection = self.connections.get(&conn);
        let known = connection.and_then(|connection| connection.account.zip(connection.profile.as_ref()));
        let Some((player, profile)) = known else { return };
        let (friends, foes) = (profile.friends.iter().copied(), profile.foes.iter().copied());
        let lists = Lists { friends: friends.collect(), foes: foes.collect() };
        if self.lists.get(&player) != Some(&lists) {
            let online: Vec<PlayerId> = self.online.keys().copied().collect();
            online.into_iter().for_each(|other| self.remember_what_is_seen(other));
        }
        self.lists.insert(player, lists);
    }

    pub(super) fn logged_in(&mut self, conn: ConnId) -> Result<(), Violation> {
        let connection = self.connection(conn, "logged in")?;
        let proof = connection.account.zip(connection.profile.take());
        let (Some((player, profile)), None) = (proof, connection.player) else {
            return broken(Law::LoginIsProven, format!("connection {} has not proven its identity", conn.0));
        };
        connection.player = Some(player);
        if let Some(other) = self.online.insert(player, conn) {
            let (other, conn) = (other.0, conn.0);
            return broken(
                Law::LoginIsProven,
                format!("player {player} is on connections {other} and {conn}"),
            );
        }
        self.coverage.count("logins");
        self.ratings.insert(player, profile.ratings);
        Ok(())
    }

    pub(super) fn requested(&mut self, conn: Option<ConnId>, request: &Request) -> Result<(), Violation> {
        let id = request.id();
        ensure(self.last_request < Some(id), Law::RequestedOnce, || {
            format!("{id:?} comes after {:?}", self.last_request)
        })?;
        self.last_request = Some(id);
        let about = match request {
            Request::CheckPassword(..) => About::Credentials,
            Request::CheckToken(..) => {
                self.coverage.count("logins with a token");
                About::Credentials
            }
            Request::SignIn(_, sign_in) => {
                let open = self.open.values().filter(|open| matches!(open.about, About::Profile)).count();
                ensure(open < LOGINS_AT_ONCE, Law::LoginsAreAdmitted, || format!("{open} are open"))?;
                let account = conn.and_then(|conn| self.connections.get(&conn)?.account);
                let player = sign_in.player;
                ensure(account == Some(player), Law::LoginIsProven, || format!("player {player}"))?;
                About::Profile
            }
            Request::SetRelation(_, set) => {
                let (player, subject, relation) = (set.player, set.subject, set.relation);
                About::Relation { player, subject, relation, begins: true }
            }
            Request::EndRelation(_, end) => {
                let (player, subject, relation) = (end.player, end.subject, end.relation);
                About::Relation { player, subject, relation, begins: false }
            }
            Request::StoreGame(_, store) => {
                let step = self.store_requested(store.game, id, &store.write)?;
                About::Game(store.game, step)
            }
            _ => About::Else,
        };
        if let Some(connection) = conn.and_then(|conn| self.connections.get_mut(&conn)) {
            connection.open.insert(id);
        }
        self.open.insert(id, Open { conn, about });
        Ok(())
    }

    fn replied(&mut self, reply: &Reply) -> Result<(), Violation> {
        let (now, id) = (self.now, reply.id());
        let Some(Open { conn, about }) = self.open.remove(&id) else {
            return broken(Law::RepliedOnce, format!("{id:?} has had a reply before, or was never made"));
        };
        let connection = conn.and_then(|conn| self.connections.get_mut(&conn));
        if reply.is_unavailable() {
            self.coverage.count("replies unavailable");
        }
        let is_open = connection.is_some();
        if let Some(connection) = connection {
            connection.open.remove(&id);
            match (&about, reply) {
                (
                    About::Credentials,
                    Reply::CheckPassword(_, Ok(Ok(Some(Account { id, .. }))))
                    | Reply::CheckToken(_, Ok(Ok(Some(Account { id, .. })))),
                ) => {
                    (connection.account, connection.accepted) = (Some(*id), Some(now));
                }
                (About::Credentials, _) => self.coverage.count("logins that failed"),
                (About::Profile, Reply::SignIn(_, Ok(profile))) => {
                    connection.profile = Some((**profile).clone());
                    let player = connection.account;
                    if player.is_some_and(|player| self.online.contains_key(&player)) {
                        self.coverage.count("logins that replaced another");
                    }
                }
                _ => {}
            }
        }
        let has_changed = matches!(reply, Reply::SetRelation(_, Ok(Ok(()))) | Reply::EndRelation(_, Ok(())));
        match (about, reply) {
            (About::Relation { player, subject, relation, begins }, _) if is_open && has_changed => {
                self.relation_changed(player, subject, relation, begins);
            }
            (About::Game(game, step), Reply::StoreGame(_, reply)) => self.store_replied(game, step, reply),
            _ => {}
        }
        Ok(())
    }

    fn relation_changed(&mut self, player: PlayerId, subject: PlayerId, relation: Relation, begins: bool) {
        let visible = |checker: &Self| checker.visible_to(subject).len();
        let before = visible(self);
        self.remember_what_is_seen(subject);
        self.change_relation(player, subject, relation, begins);
        match visible(self).cmp(&before) {
            Ordering::Less => self.coverage.count("games hidden by a new relation"),
            Ordering::Greater => self.coverage.count("games shown by a new relation"),
            Ordering::Equal => {}
        }
    }

    fn change_relation(&mut self, player: PlayerId, subject: PlayerId, relation: Relation, begins: bool) {
        let lists = self.lists.entry(player).or_default();
        let (list, other, made) = match relation {
            Relation::Friend => (&mut lists.friends, &mut lists.foes, "friends made"),
            Relation::Foe => (&mut lists.foes, &mut lists.friends, "foes made"),
        };
        if begins {
            self.coverage.count(made);
            list.insert(subject);
            other.remove(&subject);
        } else {
            list.remove(&subject);
        }
    }
}

fn host(request: &GameHost) -> Received {
    Received::Host {
        visibility: request.visibility,
        min: request.rating_min,
        max: request.rating_max,
        enforces: request.enforce_rating_range,
        password: text(request.password.as_ref()),
    }
}

fn join(request: &GameJoin) -> Received {
    Received::Join { game: request.uid, password: text(request.password.as_ref()) }
}

/// A missing password equals the empty one.
fn text(password: Option<&Secret>) -> String {
    password.map(|password| password.reveal().to_owned()).unwrap_or_default()
}
