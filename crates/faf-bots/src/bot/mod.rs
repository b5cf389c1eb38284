//! One bot: a client and its game process as a state machine.
//!
//! ```text
//! Offline --connected--> LoggingIn --welcome--> LoggedIn --disconnected--> Offline
//!
//! Idle --game_host--> Asking -game_launch-> Starting --HostGame--> Hosting --launch---> Playing -.
//!  ^  '--game_join--> Asking -game_launch-> Starting --JoinGame--> Joining --playing-------^     |
//!  '--------------------- GameState Ended, from anywhere ----------------------------------------'
//! ```
//!
//! The two are independent: as in reality, a game process outlives the connection of its client,
//! which restores the game with `restore_game_session` after the next login.

mod game_process;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use faf_protocol::client_message::{AcceptPartyInvite, AvatarAction, GameMatchmaking, RestoreGameSession};
use faf_protocol::gpgnet::GameToServer;
use faf_protocol::server_message::{NoticeStyle, ServerMessage};
use faf_protocol::{ClientMessage, GameId, PlayerId};
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::behaviour::{Behaviour, GamePlan, Wish};
use crate::hosting::Hosting;
use crate::matches::Match;
use crate::process::{Agenda, IceAdapter};
use crate::view::View;
use crate::{Rng, Shared};

/// Time limit for a login; after a start of the server, many are queued.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Time limit for the reply to a request.
const REPLY_TIMEOUT: Duration = Duration::from_secs(20);

/// Time limit for the order to start the game of a match: guests get it when the host is ready.
const MATCH_TIMEOUT: Duration = Duration::from_secs(180);

/// How long a bot stays away after being kicked or refused: people may need its account.
const BAN_PAUSE: Duration = Duration::from_secs(300);

/// First and longest pause after a connection was lost or refused: each is twice the last one.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// A simulated player. The crate documentation describes how to drive it; after each call, execute
/// all actions that [`poll_action`](Self::poll_action) returns.
///
/// Times are durations since any moment that is the same for all bots that share
/// [`Shared::battles`].
#[derive(Debug)]
pub struct Bot {
    login: String,
    shared: Arc<Shared>,
    behaviour: Box<dyn Behaviour>,
    rng: Rng,
    view: View,
    session: Session,
    activity: Activity,
    /// Time at which the activity continues.
    next: Duration,
    /// Whether the game process waits to be restored into its game.
    is_restoring: bool,
    adapter: IceAdapter,
    outgoing: VecDeque<ClientMessage>,
    leaving: Option<Leaving>,
    failures: u32,
}

/// An action for the owner of a bot's connection.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Send this message.
    Send(ClientMessage),
    /// Close the connection after everything has been sent.
    LogOut,
    /// Drop the connection without closing it.
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    Offline,
    /// Logging in, until this time.
    LoggingIn(Duration),
    LoggedIn,
}

#[derive(Debug)]
enum Activity {
    /// Nothing to do.
    Idle,
    /// Has sent a request to host, if there is a plan, or to join.
    Asking(Option<Box<GamePlan>>),
    /// The matchmaker has found a match. The order to start its game follows, or it is cancelled.
    Matched,
    /// The game process starts, and then waits for the command to host or join.
    Starting {
        game: GameId,
        part: Part,
        has_started: bool,
    },
    Hosting(Box<Hosting>),
    Joining {
        game: GameId,
        is_match: bool,
        has_seat: bool,
    },
    /// The match of the game process is cancelled, but the process goes on for a while.
    Lingering {
        game: GameId,
        has_started: bool,
    },
    Playing(Agenda),
}

/// The part of a player in a game.
#[derive(Debug)]
enum Part {
    Host(Box<GamePlan>),
    Guest,
    /// The server decides who is the host.
    OfMatch(Box<Match>),
}

#[derive(Debug)]
struct Leaving {
    away: Duration,
    /// Action to take, removed when it is executed.
    action: Option<Action>,
}

impl Bot {
    /// Creates a bot that is offline and acts for the account with this login.
    #[must_use]
    pub fn new(login: String, shared: Arc<Shared>, behaviour: Box<dyn Behaviour>, rng: Rng) -> Self {
        Self {
            login,
            shared,
            behaviour,
            rng,
            view: View::default(),
            session: Session::Offline,
            activity: Activity::Idle,
            next: Duration::ZERO,
            is_restoring: false,
            adapter: IceAdapter::default(),
            outgoing: VecDeque::new(),
            leaving: None,
            failures: 0,
        }
    }

    /// Returns the name of the account, as the server writes it if it has welcomed the bot.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.login
    }

    /// Returns whether the server has accepted the login on the current connection.
    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        self.session == Session::LoggedIn
    }

    /// Returns the game that the bot's game process runs for, from `game_launch` until the process
    /// has ended.
    #[must_use]
    pub fn game(&self) -> Option<GameId> {
        match &self.activity {
            Activity::Idle | Activity::Asking(_) | Activity::Matched => None,
            Activity::Starting { game, .. }
            | Activity::Joining { game, .. }
            | Activity::Lingering { game, .. } => Some(*game),
            Activity::Hosting(hosting) => Some(hosting.game),
            Activity::Playing(agenda) => Some(agenda.game),
        }
    }

    /// Returns the game whose open lobby the bot hosts.
    #[must_use]
    pub fn hosted_lobby(&self) -> Option<GameId> {
        match &self.activity {
            Activity::Hosting(hosting) => Some(hosting.game),
            _ => None,
        }
    }

    /// Returns whether the bot plays: its game has been launched, and its process has not ended.
    #[must_use]
    pub fn is_playing(&self) -> bool {
        matches!(self.activity, Activity::Playing(_))
    }

    /// Returns whether the player looks idle: there is no game process, no search and no match.
    #[must_use]
    pub fn looks_idle(&self) -> bool {
        matches!(self.activity, Activity::Idle | Activity::Asking(_)) && self.view.searches().is_empty()
    }

    /// Returns the bot's view of the lobby.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Handles a new connection: the bot logs in with these messages.
    pub fn connected(&mut self, now: Duration, greeting: impl IntoIterator<Item = ClientMessage>) {
        self.view = View::default();
        self.outgoing = greeting.into_iter().collect();
        self.leaving = None;
        self.session = Session::LoggingIn(now + LOGIN_TIMEOUT);
    }

    /// Handles the end of a connection, or a failed attempt to connect. Returns the time to wait
    /// before the next attempt.
    pub fn disconnected(&mut self) -> Duration {
        self.session = Session::Offline;
        self.outgoing.clear();
        self.is_restoring = false;
        if let Activity::Asking(_) | Activity::Matched = self.activity {
            self.activity = Activity::Idle;
        }
        if let Some(leaving) = self.leaving.take() {
            return leaving.away;
        }
        let (first, longest) = BACKOFF;
        let pause = first.saturating_mul(1 << self.failures.min(10)).min(longest);
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(0.5 + 0.5 * self.rng.random::<f64>())
    }

    /// Handles a message of the server; the bot ignores those it does not understand.
    pub fn handle(&mut self, now: Duration, message: &ServerMessage) {
        self.view.handle(message);
        match message {
            ServerMessage::Ping => self.send(ClientMessage::Pong),
            ServerMessage::Welcome(welcome) => {
                self.login.clone_from(&welcome.login);
                self.shared.add_bot(&self.login);
                self.welcomed(now, welcome.me.id);
            }
            ServerMessage::AuthenticationFailed(_) => self.leave(BAN_PAUSE, Action::LogOut),
            ServerMessage::Notice(notice) => match notice.style {
                NoticeStyle::Kick => self.leave(BAN_PAUSE, Action::LogOut),
                NoticeStyle::Kill => self.end_process(now),
                NoticeStyle::Info | NoticeStyle::Error if self.is_restoring => self.end_process(now),
                NoticeStyle::Error => self.refused(now),
                _ => {}
            },
            ServerMessage::GameJoinFailed(_) | ServerMessage::Disabled(_) => self.refused(now),
            ServerMessage::GameLaunch(launch) => self.start_process(now, launch),
            ServerMessage::MatchFound(_) => self.match_found(now),
            ServerMessage::MatchCancelled(_) => self.match_cancelled(now),
            ServerMessage::GameInfo(game) => self.handle_game_info(now, game),
            ServerMessage::Game(command) => self.handle_game_command(now, command),
            ServerMessage::Avatar(list) => {
                let avatar = list.avatarlist.choose(&mut self.rng).map(|avatar| avatar.url.clone());
                self.send(ClientMessage::Avatar(AvatarAction::Select { avatar }));
            }
            _ => {}
        }
    }

    /// Returns the time for [`handle_timeout`](Self::handle_timeout), or `None` while there is
    /// no connection.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.session {
            Session::Offline => None,
            Session::LoggingIn(until) => Some(until),
            Session::LoggedIn => Some(self.next),
        }
    }

    /// Executes everything that is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        if let Session::LoggingIn(_) = self.session {
            self.session = Session::LoggingIn(now + LOGIN_TIMEOUT);
            return self.leave(BACKOFF.1, Action::LogOut);
        }
        self.is_restoring = false;
        // Each of these sets the time of its next step; this is for those that wait for a reply.
        self.next = now + REPLY_TIMEOUT;
        match &self.activity {
            Activity::Idle => self.execute_wish(now),
            Activity::Asking(_) | Activity::Matched => self.rest(now),
            Activity::Starting { .. } => self.enter_lobby(now),
            Activity::Hosting(_) => self.host(now),
            Activity::Joining { .. } => self.end_process(now),
            Activity::Lingering { .. } => self.linger(now),
            Activity::Playing(_) => self.play(now),
        }
    }

    /// Returns the next action for the bot, if there is one.
    pub fn poll_action(&mut self) -> Option<Action> {
        match self.outgoing.pop_front() {
            Some(message) => Some(Action::Send(message)),
            None => self.leaving.as_mut()?.action.take(),
        }
    }

    /// Ends the game process in any state.
    pub fn end_process(&mut self, now: Duration) {
        self.is_restoring = false;
        if self.game().is_some() {
            self.send_game_commands([game_process::ended()]);
            self.rest(now);
        }
    }

    /// Handles an accepted login. [`handle`](Self::handle) notices it by itself, so this is only
    /// for callers that do not pass on every message of the server during the login.
    pub fn welcomed(&mut self, now: Duration, me: PlayerId) {
        self.view.me = Some(me);
        self.failures = 0;
        self.session = Session::LoggedIn;
        match self.game() {
            Some(game_id) if self.rng.random_bool(self.shared.settings.restores) => {
                self.is_restoring = true;
                self.next = self.next.max(now);
                self.send(ClientMessage::RestoreGameSession(RestoreGameSession { game_id }));
            }
            _ => self.rest(now),
        }
    }

    /// Handles that the server has refused a request.
    fn refused(&mut self, now: Duration) {
        if let Activity::Asking(_) = self.activity {
            self.rest(now);
        }
    }

    fn rest(&mut self, now: Duration) {
        self.activity = Activity::Idle;
        self.next = now + self.shared.settings.draw(&mut self.rng, &self.shared.settings.idle);
    }

    fn execute_wish(&mut self, now: Duration) {
        match self.behaviour.next_wish(&mut self.rng, &self.view, &self.shared) {
            Wish::Wait => self.rest(now),
            Wish::Send(message) => {
                self.view.handle_own(&message);
                self.send(message);
                self.rest(now);
            }
            Wish::Accept(sender_id) => {
                self.view.forget_invitation(sender_id);
                self.send(ClientMessage::AcceptPartyInvite(AcceptPartyInvite { sender_id }));
                self.rest(now);
            }
            Wish::Search(queues) => {
                let search = |queue: String| GameMatchmaking {
                    state: "start".to_owned(),
                    queue_name: Some(queue),
                    featured_mod: None,
                    faction: None,
                };
                self.outgoing.extend(queues.into_iter().map(search).map(ClientMessage::GameMatchmaking));
                self.rest(now);
            }
            Wish::Host(plan) => {
                self.send(ClientMessage::GameHost(plan.request.clone()));
                self.activity = Activity::Asking(Some(plan));
            }
            Wish::Join(request) => {
                self.send(ClientMessage::GameJoin(request));
                self.activity = Activity::Asking(None);
            }
            Wish::LogOut(away) => self.leave(self.shared.settings.time(away), Action::LogOut),
        }
    }

    fn leave(&mut self, away: Duration, action: Action) {
        self.leaving = Some(Leaving { away, action: Some(action) });
    }

    fn send(&mut self, message: ClientMessage) {
        self.outgoing.push_back(message);
    }

    /// Sends commands of the game process.
    fn send_game_commands(&mut self, commands: impl IntoIterator<Item = GameToServer>) {
        self.outgoing.extend(commands.into_iter().map(|command| ClientMessage::Game(command.into())));
    }
}
