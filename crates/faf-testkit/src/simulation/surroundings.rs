//! What is around the lobby: connections, a store that answers when and how it likes, and a clock
//! that jumps.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use faf_lobby_core::{
    ConnId, Contradiction, GameWrite, HoldReason, MapVersion, Moment, Reply, Request, RequestId, Settings,
    Timestamp, World,
};
use faf_protocol::client_message::ClientMessage;
use faf_protocol::server_message::{LeaderboardRating, Rating};
use faf_protocol::{CommandError, GameId, PlayerId};

use super::random::Random;
use super::{GAMES_BEFORE, GLOBAL};
use crate::lobby::BEGINNING;
use crate::store::FakeStore;

/// The lobby and what is around it.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) world: World,
    pub(super) store: FakeStore,
    pub(super) settings: Settings,
    /// When this lobby was started, in the time of the evening.
    pub(super) started: Duration,
    /// How wrong the calendar is.
    pub(super) clock_error: i64,
    pub(super) wires: BTreeMap<ConnId, Wire>,
    pub(super) last_conn: u64,
    requests: BTreeMap<RequestId, Requested>,
    /// The database cannot be reached until then.
    pub(super) away_until: Duration,
    /// Answers are slow until then.
    pub(super) slow_until: Duration,
    refused: BTreeSet<GameId>,
    /// Writes are refused now and then.
    pub(super) refuses: bool,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) player: usize,
    /// Reasons for which the lobby does not read from it.
    pub(super) holds: BTreeSet<HoldReason>,
    /// Said, and not read by the lobby yet.
    pub(super) outgoing: VecDeque<Result<ClientMessage, CommandError>>,
}

/// A request and, when the store has carried it out, its reply.
#[derive(Debug)]
enum Requested {
    Open(Request),
    Done(Reply),
}

impl Surroundings {
    pub(super) fn new(settings: Settings, players: usize, random: &mut Random) -> Self {
        let logins: Vec<String> = (1..=players).map(|number| format!("p{number}")).collect();
        let mut store = FakeStore::with_accounts(logins.iter().map(String::as_str));
        store.maps.insert("scmp_009".to_owned(), MapVersion { id: 9, is_ranked: true });
        for account in store.accounts.values_mut() {
            if random.per_mille(600) {
                let rating = Rating {
                    mean: random.within(500..2200) as f64,
                    deviation: random.within(60..300) as f64,
                };
                let number_of_games = GAMES_BEFORE;
                account.ratings.push((GLOBAL.to_owned(), LeaderboardRating { rating, number_of_games }));
            }
            for _ in 0..random.below(4) {
                let other = PlayerId(random.within(1..players as u64 + 1) as u32);
                if other.0 != account.id {
                    let is_friend = random.per_mille(700);
                    let list = if is_friend { &mut account.friends } else { &mut account.foes };
                    list.insert(other);
                }
            }
            account.foes.retain(|foe| !account.friends.contains(foe));
        }
        let now = Moment { elapsed: Duration::ZERO, utc: BEGINNING };
        Self {
            world: World::new(settings.clone(), now, store.beginning()),
            store,
            settings,
            started: Duration::ZERO,
            clock_error: 0,
            wires: BTreeMap::new(),
            last_conn: 0,
            requests: BTreeMap::new(),
            away_until: Duration::ZERO,
            slow_until: Duration::ZERO,
            refused: BTreeSet::new(),
            refuses: false,
        }
    }

    /// What the lobby's clocks say.
    pub(super) fn moment(&self, now: Duration) -> Moment {
        let utc = Timestamp(BEGINNING.0 + now.as_micros() as i64 + self.clock_error);
        Moment { elapsed: now - self.started, utc }
    }

    /// When the lobby wants to look at its timers, in the time of the evening.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.world.next_deadline().map(|deadline| self.started + deadline)
    }

    pub(super) fn request(&mut self, request: Request) {
        self.requests.insert(request.id(), Requested::Open(request));
    }

    /// How long it takes to carry a request out, and then to give the reply.
    ///
    /// The reply to the end of a game is given at once, because these come in the order in which
    /// games were rated.
    pub(super) fn delays(
        &self,
        now: Duration,
        request: &Request,
        random: &mut Random,
    ) -> (Duration, Duration) {
        let (look, then) = self.usual_delays(now, random);
        match request {
            Request::StoreGame(_, store) if matches!(store.write, GameWrite::End(_)) => {
                (look + then, Duration::ZERO)
            }
            _ => (look, then),
        }
    }

    fn usual_delays(&self, now: Duration, random: &mut Random) -> (Duration, Duration) {
        if now < self.slow_until {
            return (random.millis(0..4000), random.millis(0..4000));
        }
        match random.below(20) {
            0 => (random.millis(0..1000), random.millis(0..1000)),
            _ => (random.millis(0..15), random.millis(0..15)),
        }
    }

    /// The store carries out a request.
    pub(super) fn perform(&mut self, now: Duration, id: RequestId, random: &mut Random) {
        // A kill of the server has forgotten what it asked for.
        let Some(Requested::Open(request)) = self.requests.remove(&id) else { return };
        let reply = match request {
            request if now < self.away_until => request.unavailable(),
            Request::StoreGame(ticket, store) if self.is_refused(store.game, &store.write, random) => {
                ticket.reply(Ok(Err(Contradiction)))
            }
            request => self.store.perform(request),
        };
        self.requests.insert(id, Requested::Done(reply));
    }

    /// Rarely, the database says that a write contradicts what is stored. Without a launch, all the
    /// rest does. A save or an end alone is never refused: the game would come back as it was long
    /// ago when the server is killed.
    fn is_refused(&mut self, game: GameId, write: &GameWrite, random: &mut Random) -> bool {
        match write {
            _ if self.refused.contains(&game) => true,
            GameWrite::Launch(_) if self.refuses && random.per_mille(20) => self.refused.insert(game),
            GameWrite::Note(_) => self.refuses && random.per_mille(50),
            _ => false,
        }
    }

    /// The reply to a request, once.
    pub(super) fn reply(&mut self, id: RequestId) -> Option<Reply> {
        match self.requests.remove(&id)? {
            Requested::Done(reply) => Some(reply),
            Requested::Open(_) => None,
        }
    }

    /// The server is killed, and started again from what is stored.
    pub(super) fn restart(&mut self, now: Duration) {
        self.wires.clear();
        self.requests.clear();
        // Numbers of games that were never stored are used again.
        self.refused.clear();
        self.started = now;
        self.world = World::new(self.settings.clone(), self.moment(now), self.store.beginning());
    }
}
