//! Players of an ordinary evening: bots that host one game after the other, bots that join them,
//! and bots that come and go. Those that search are in `searching.rs`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use faf_bots::{Action, Behaviour, Bot, GameKind, GamePlan, Rng, Settings, Shared, View, Wish, public_game};
use faf_protocol::client_message::GameJoin;
use faf_protocol::{Encode, GameId, Message, PlayerId, ServerMessage};
use rand::{RngExt, SeedableRng};

use super::{Actor, ActorCommand, Context, uid};
use crate::options::{interval, seconds};

/// Durations of the parts of an evening, in seconds, and the number of guests of a game.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Tempo {
    /// Number of guests of each game
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    pub(crate) guests: u32,

    /// Time between changes that a host makes
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = interval())]
    pub(crate) chatter: f64,

    /// Longest time that a lobby waits for guests
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = seconds())]
    pub(crate) lobby: f64,

    /// Approximate duration of a game
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds())]
    pub(crate) game: f64,

    /// Approximate time for which visitors stay, and then stay away
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = seconds())]
    pub(crate) visit: f64,
}

/// All players of an evening.
#[derive(Debug)]
pub(crate) struct Evening {
    tempo: Tempo,
    players: Arc<Shared>,
    visitors: Arc<Shared>,
    seats: Arc<FreeSeats>,
    began: Instant,
}

impl Evening {
    pub(crate) fn new(tempo: Tempo) -> Self {
        let settings = Settings {
            idle: about(tempo.chatter),
            process_start: 0.0..0.0,
            host_wait: tempo.lobby,
            full_lobby: tempo.chatter,
            shortest_lobby: Duration::ZERO,
            retitle: Some(tempo.chatter),
            battle: about(tempo.game),
            rest: about(tempo.chatter),
            leaves_lobby: 0.0,
            leaves_when_fallen: 0.0,
            loses_connection: 0.0,
            candidates: 3,
            match_faults: 0.0,
            chats: 0.0,
            incidents: 0.0,
            ..Settings::default()
        };
        let visitors = Settings { idle: about(tempo.visit), ..settings.clone() };
        let shared = |settings| Arc::new(Shared { settings, ..Shared::default() });
        Self {
            tempo,
            players: shared(settings),
            visitors: shared(visitors),
            seats: Arc::default(),
            began: Instant::now(),
        }
    }

    /// Returns a player with this account who hosts one game after the other.
    pub(crate) fn host(&self, me: u32) -> Player {
        let part = Part::Host { seats: self.tempo.guests as usize + 1 };
        self.player(me, &self.players, Box::new(part), self.tempo.lobby)
    }

    /// Returns a player with this account who joins one game after the other.
    pub(crate) fn guest(&self, me: u32) -> Player {
        self.player(me, &self.players, Box::new(Part::Guest(Arc::clone(&self.seats))), self.tempo.chatter)
    }

    /// Returns a player with this account who comes and goes.
    pub(crate) fn visitor(&self, me: u32) -> Player {
        self.player(me, &self.visitors, Box::new(Part::Visitor(self.tempo.visit)), self.tempo.visit)
    }

    /// Returns a player with this account who plays matches only, and behaves so.
    pub(super) fn searching_player(&self, me: u32, behaviour: Box<dyn Behaviour>) -> Player {
        let player = self.player(me, &self.players, behaviour, self.tempo.chatter);
        Player { offers_seats: false, ..player }
    }

    fn player(
        &self,
        me: u32,
        shared: &Arc<Shared>,
        behaviour: Box<dyn Behaviour>,
        begin_within: f64,
    ) -> Player {
        let mut rng = Rng::seed_from_u64(me.into());
        let begins_after = Duration::from_secs_f64(begin_within * rng.random::<f64>());
        Player {
            bot: Bot::new(format!("player{me}"), Arc::clone(shared), behaviour, rng),
            me: PlayerId(me),
            guests: self.tempo.guests as usize,
            offers_seats: true,
            seats: Arc::clone(&self.seats),
            began: self.began,
            begins_after,
            plays: false,
            wakes: None,
            lobby: None,
        }
    }
}

/// Returns a range from half of a time to one and a half, so that not all players act at the
/// same time.
fn about(seconds: f64) -> std::ops::Range<f64> {
    0.5 * seconds..1.5 * seconds
}

/// Open games, each once per free seat. Guests would find the same in the list of games, but
/// reading all of it in every client would take most of the load generator's time.
#[derive(Debug, Default)]
struct FreeSeats(Mutex<VecDeque<GameId>>);

impl FreeSeats {
    fn change<T>(&self, change: impl FnOnce(&mut VecDeque<GameId>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The part that a bot plays.
#[derive(Debug)]
enum Part {
    Host {
        seats: usize,
    },
    Guest(Arc<FreeSeats>),
    /// Comes and goes, after about this many seconds.
    Visitor(f64),
}

impl Behaviour for Part {
    fn next_wish(&mut self, rng: &mut Rng, _view: &View, _shared: &Shared) -> Wish {
        match self {
            Self::Host { seats } => {
                let request = public_game("2v2 all welcome", "faf", "scmp_007");
                let (kind, sim_mods) = (GameKind::Teams, Vec::new());
                Wish::Host(Box::new(GamePlan { kind, seats: *seats, sim_mods, request }))
            }
            Self::Guest(seats) => {
                let game = seats.change(VecDeque::pop_front);
                game.map_or(Wish::Wait, |uid| Wish::Join(GameJoin { uid, password: None }))
            }
            Self::Visitor(visit) => Wish::LogOut(*visit * (0.5 + rng.random::<f64>())),
        }
    }
}

/// A bot that controls a client.
#[derive(Debug)]
pub(crate) struct Player {
    bot: Bot,
    me: PlayerId,
    guests: usize,
    /// Whether guests may join its lobbies: nobody can join a match.
    offers_seats: bool,
    seats: Arc<FreeSeats>,
    /// Start of the bot's time.
    began: Instant,
    /// Delay after [`ActorCommand::Play`], so that not all bots begin at the same moment.
    begins_after: Duration,
    plays: bool,
    /// Time for which the bot last requested a call of [`Actor::due`].
    wakes: Option<Duration>,
    /// The open lobby that it hosts, once its seats are offered to guests.
    lobby: Option<GameId>,
}

impl Player {
    fn time(&self, context: &Context) -> Duration {
        context.now.saturating_duration_since(self.began)
    }

    /// Performs the bot's actions.
    fn follow(&mut self, context: &mut Context) {
        while let Some(action) = self.bot.poll_action() {
            match action {
                Action::Send(message) => {
                    let mut json = Vec::new();
                    let written = message.write_json(&mut json).map(|()| String::from_utf8(json));
                    context
                        .send
                        .push(written.expect("bots' messages can be encoded").expect("JSON is UTF-8"));
                    context.sample.said += 1;
                }
                Action::LogOut | Action::Drop => context.leave = Some(self.bot.disconnected()),
            }
        }
        let lobby = self.bot.hosted_lobby().filter(|_| self.offers_seats);
        if lobby != self.lobby {
            let closed = std::mem::replace(&mut self.lobby, lobby);
            context.sample.games += u64::from(lobby.is_some());
            self.seats.change(|seats| {
                seats.retain(|game| Some(*game) != closed);
                seats.extend(lobby.into_iter().flat_map(|game| vec![game; self.guests]));
            });
        }
        // Each request creates a timer that cannot be cancelled.
        if let Some(at) = self.bot.next_deadline().filter(|at| self.plays && self.wakes != Some(*at)) {
            self.wakes = Some(at);
            context.wake = Some(self.began + at);
        }
    }
}

impl Actor for Player {
    fn logged_in(&mut self, context: &mut Context) {
        let now = self.time(context);
        if self.bot.is_logged_in() {
            self.bot.disconnected();
        }
        self.bot.connected(now, []);
        self.bot.welcomed(now, self.me);
        self.wakes = None;
        self.follow(context);
    }

    fn receive(&mut self, message: &Message, context: &mut Context) {
        let is_for_me = match message.command().as_deref() {
            Some("game_launch" | "game_join_failed" | "disabled" | "notice") => true,
            Some("party_invite" | "update_party" | "kicked_from_party" | "match_cancelled") => true,
            Some("search_info") => {
                let begins =
                    message.get("state").is_some_and(|state| state.as_str().as_deref() == Some("start"));
                context.sample.searches += u64::from(begins);
                true
            }
            Some("match_found") => {
                context.sample.matched += 1;
                true
            }
            Some("game_info") => {
                let game = self.bot.game().map(|game| u64::from(game.0));
                game.is_some() && game == uid(message)
            }
            _ => message.get("target").is_some(),
        };
        if is_for_me && let Ok(message) = ServerMessage::read(message.clone()) {
            self.bot.handle(self.time(context), &message);
            self.follow(context);
        }
    }

    fn due(&mut self, context: &mut Context) {
        if self.plays {
            self.bot.handle_timeout(self.time(context));
            self.follow(context);
        }
    }

    fn on_command(&mut self, command: ActorCommand, context: &mut Context) {
        match command {
            ActorCommand::Play if !self.plays => {
                self.plays = true;
                context.wake = Some(context.now + self.begins_after);
            }
            ActorCommand::Silence => self.plays = false,
            _ => {}
        }
    }
}
