//! One bot: a client and its game process as a state machine, without sockets or a clock.
//!
//! ```text
//!  Away --connected--> Arriving --welcome--> Looking --game_host--> Starting --HostGame--> Hosting --.
//!   ^                                        ^    |                                               launch
//!   |                                        |    '----game_join--> Starting --JoinGame--> Joining --+
//!   '--disconnected, from anywhere           '------------- GameState Ended ------------ Playing <---'
//! ```
//!
//! Whoever carries a bot tells it of [`connected`](Bot::connected), [`hear`](Bot::hear), [`handle_timeout`](Bot::handle_timeout)
//! when [`next_deadline`](Bot::next_deadline) has come, and [`disconnected`](Bot::disconnected), and does after each what
//! [`poll`](Bot::poll) wants.

mod game;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use faf_protocol::client_message::{AskSession, AvatarAction, Hello, RestoreGameSession};
use faf_protocol::gpgnet::GameToServer;
use faf_protocol::server_message::{NoticeStyle, ServerMessage};
use faf_protocol::{ClientMessage, GameId, Secret};
use fastrand::Rng;

use crate::auth::passwords;
use crate::demo::battle::Battles;
use crate::demo::behaviour::{GamePlan, Wish, next_wish};
use crate::demo::hosting::Hosting;
use crate::demo::process::{Adapter, Agenda};
use crate::demo::seed::{Account, Stage};
use crate::demo::tempo::{Tempo, one_of};
use crate::demo::view::View;

/// How long a login may take; after a start, many wait for their turn.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long an answer to a request may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a bot stays away when somebody has sent it away, or needs its account.
const KICKED: Duration = Duration::from_secs(300);

/// The first pause after a connection was lost or refused, and the longest: each is twice the last one.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What every bot knows and needs.
#[derive(Debug)]
pub(super) struct World {
    pub(super) stage: Stage,
    pub(super) tempo: Tempo,
    pub(super) battles: Battles,
}

/// A player without a person.
#[derive(Debug)]
pub(super) struct Bot {
    account: Account,
    world: Arc<World>,
    rng: Rng,
    view: View,
    doing: Doing,
    /// When to do something next.
    next: Duration,
    adapter: Adapter,
    to_say: VecDeque<ClientMessage>,
    leaving: Option<Leaving>,
    failures: u32,
}

/// What whoever carries a bot has to do.
#[derive(Debug, PartialEq)]
pub(super) enum Order {
    Say(ClientMessage),
    /// Close the connection, after all has been said.
    LogOut,
    /// Drop the connection without a word.
    Crash,
}

#[derive(Debug)]
enum Doing {
    /// Not logged in.
    Arriving,
    /// In the lobby, with nothing to do.
    Looking,
    /// Has asked to host, if there is a plan, or to join.
    Asking(Option<Box<GamePlan>>),
    /// The game process starts, and when it has, waits for what the server says to it.
    Starting {
        game: GameId,
        plan: Option<Box<GamePlan>>,
        has_started: bool,
    },
    Hosting(Box<Hosting>),
    Joining {
        game: GameId,
        has_seat: bool,
    },
    Playing(Agenda),
}

#[derive(Debug)]
struct Leaving {
    away: Duration,
    /// What is still to be done about it, if anything.
    order: Option<Order>,
}

impl Bot {
    pub(super) fn new(account: Account, world: Arc<World>, rng: Rng) -> Self {
        Self {
            account,
            world,
            rng,
            view: View::default(),
            doing: Doing::Arriving,
            next: Duration::ZERO,
            adapter: Adapter::default(),
            to_say: VecDeque::new(),
            leaving: None,
            failures: 0,
        }
    }

    pub(super) fn login(&self) -> &str {
        &self.account.login
    }

    /// There is a connection: the bot logs in.
    pub(super) fn connected(&mut self, now: Duration) {
        self.view = View::default();
        self.to_say.clear();
        self.leaving = None;
        self.say(ClientMessage::AskSession(AskSession {
            user_agent: Some("faf-lobby-demo".to_owned()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }));
        self.say(ClientMessage::Hello(Hello {
            login: self.account.login.clone(),
            password: Secret::new(passwords::digest(&self.account.password)),
            unique_id: "demo".to_owned(),
        }));
        self.next = now + LOGIN_TIMEOUT;
    }

    /// The connection has ended, or did not come about. Answers how long to wait for the next one.
    pub(super) fn disconnected(&mut self) -> Duration {
        // A game that is played goes on without the lobby, and the bot comes back into it. Lobbies are lost.
        if !matches!(self.doing, Doing::Playing(_)) {
            self.doing = Doing::Arriving;
        }
        self.to_say.clear();
        if let Some(leaving) = self.leaving.take() {
            return leaving.away;
        }
        let (first, longest) = BACKOFF;
        let pause = first.saturating_mul(1 << self.failures.min(10)).min(longest);
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(0.5 + 0.5 * self.rng.f64())
    }

    /// The server has said something. What a bot does not understand, it ignores.
    pub(super) fn hear(&mut self, now: Duration, message: &ServerMessage) {
        self.view.hear(message);
        if let ServerMessage::Notice(notice) = message {
            tracing::debug!(bot = self.login(), style = ?notice.style, text = notice.text, "bot got a notice");
        }
        match message {
            ServerMessage::Ping => self.say(ClientMessage::Pong),
            ServerMessage::Welcome(_) => self.arrive(now),
            ServerMessage::AuthenticationFailed(_) => self.leave(KICKED, Order::LogOut),
            ServerMessage::Notice(notice) => match notice.style {
                NoticeStyle::Kick => self.leave(KICKED, Order::LogOut),
                NoticeStyle::Kill => self.end_process(now),
                NoticeStyle::Error if matches!(self.doing, Doing::Asking(_)) => self.look_around(now),
                _ => {}
            },
            ServerMessage::GameJoinFailed(_) | ServerMessage::Disabled(_)
                if matches!(self.doing, Doing::Asking(_)) =>
            {
                self.look_around(now);
            }
            ServerMessage::GameLaunch(launch) => self.start_process(now, launch.uid),
            ServerMessage::GameInfo(game) => self.hear_of_game(now, game),
            ServerMessage::Game(command) => self.hear_order(now, command),
            ServerMessage::Avatar(list) => {
                let avatar = one_of(&mut self.rng, &list.avatarlist).map(|avatar| avatar.url.clone());
                self.say(ClientMessage::Avatar(AvatarAction::Select { avatar }));
            }
            _ => {}
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub(super) fn next_deadline(&self) -> Duration {
        self.next
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Duration) {
        if now < self.next {
            return;
        }
        // Whatever is done next says when something is due again.
        self.next = now + ANSWER_TIMEOUT;
        match &self.doing {
            Doing::Arriving => self.leave(BACKOFF.1, Order::LogOut),
            Doing::Looking => self.follow_wish(now),
            Doing::Asking(_) => self.look_around(now),
            Doing::Starting { .. } => self.enter_lobby(now),
            Doing::Hosting(_) => self.decide(now),
            Doing::Joining { .. } => self.end_process(now),
            Doing::Playing(_) => self.play(now),
        }
    }

    /// The next thing to be done, if there is any.
    pub(super) fn poll(&mut self) -> Option<Order> {
        match self.to_say.pop_front() {
            Some(message) => Some(Order::Say(message)),
            None => self.leaving.as_mut()?.order.take(),
        }
    }

    fn arrive(&mut self, now: Duration) {
        self.failures = 0;
        match &self.doing {
            Doing::Playing(agenda) => {
                let game_id = agenda.game;
                self.next = agenda.next().unwrap_or(now);
                self.say(ClientMessage::RestoreGameSession(RestoreGameSession { game_id }));
            }
            _ => self.look_around(now),
        }
    }

    fn look_around(&mut self, now: Duration) {
        self.doing = Doing::Looking;
        self.next = now + self.world.tempo.some(&mut self.rng, 4.0..15.0);
    }

    fn follow_wish(&mut self, now: Duration) {
        let wish = next_wish(&mut self.rng, &self.view, &self.world.stage);
        tracing::debug!(bot = self.login(), ?wish, "bot has a wish");
        match wish {
            Wish::Wait => self.look_around(now),
            Wish::Browse(message) => {
                self.say(message);
                self.look_around(now);
            }
            Wish::Host(plan) => {
                self.say(ClientMessage::GameHost(plan.request.clone()));
                self.doing = Doing::Asking(Some(plan));
            }
            Wish::Join(request) => {
                self.say(ClientMessage::GameJoin(request));
                self.doing = Doing::Asking(None);
            }
            Wish::LogOut => {
                let away = self.world.tempo.some(&mut self.rng, 20.0..90.0);
                self.leave(away, Order::LogOut);
            }
        }
    }

    fn leave(&mut self, away: Duration, order: Order) {
        tracing::debug!(bot = self.login(), ?order, ?away, "bot leaves");
        self.leaving = Some(Leaving { away, order: Some(order) });
    }

    fn say(&mut self, message: ClientMessage) {
        self.to_say.push_back(message);
    }

    /// Says something on behalf of the game process.
    fn tell(&mut self, commands: impl IntoIterator<Item = GameToServer>) {
        self.to_say.extend(commands.into_iter().map(|command| ClientMessage::Game(command.into())));
    }
}
