//! The environment of the lobby: connections, a store with delays and failures, and a clock that
//! jumps.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use faf_lobby_core::matchmaking::map_pool::{Bracket, PoolEntry};
use faf_lobby_core::matchmaking::queue::QueueData;
use faf_lobby_core::{
    ConnId, Contradiction, GameWrite, HoldReason, MapVersion, Moment, Reply, Request, RequestId, Settings,
    Timestamp, World,
};
use faf_protocol::client_message::ClientMessage;
use faf_protocol::server_message::{LeaderboardRating, Rating};
use faf_protocol::{CommandError, GameId, PlayerId, PoolEntryId};

use super::random::Random;
use super::{GAMES_BEFORE, GLOBAL, LADDER};
use crate::lobby::BEGINNING;
use crate::store::FakeStore;

/// The lobby and its environment.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) world: World,
    pub(super) store: FakeStore,
    pub(super) settings: Settings,
    /// Start of this lobby, in the time of the evening.
    pub(super) started: Duration,
    /// Error of the wall clock, in microseconds.
    pub(super) clock_error: i64,
    pub(super) wires: BTreeMap<ConnId, Wire>,
    pub(super) last_conn: u64,
    requests: BTreeMap<RequestId, Requested>,
    /// End of the time in which the database is unavailable.
    pub(super) away_until: Duration,
    /// End of the time in which replies are slow.
    pub(super) slow_until: Duration,
    refused: BTreeSet<GameId>,
    /// Whether some writes are refused.
    pub(super) refuses: bool,
}

/// Names of the queues, with their leaderboards and team sizes.
const QUEUES: [(&str, &str, u32); 3] =
    [("ladder1v1", LADDER, 1), ("tmm2v2", GLOBAL, 2), ("tmm4v4", GLOBAL, 4)];

/// Returns the technical names of the queues.
pub(super) fn queue_names() -> [&'static str; 3] {
    QUEUES.map(|(name, ..)| name)
}

/// Returns the queues of an evening: with maps of the vault, and with generated ones.
pub(super) fn queues() -> Vec<QueueData> {
    let fixed = |number, id, folder: &str| {
        let version = MapVersion { id, is_ranked: true };
        PoolEntry::fixed(PoolEntryId(number), 1, version, &format!("maps/{folder}.zip"))
    };
    let params = r#"{"type":"neroxis","version":"1.2.3","spawns":8,"size":512}"#;
    let pool =
        [fixed(1, 7, "scmp_007"), fixed(2, 9, "scmp_009"), PoolEntry::generated(PoolEntryId(3), 1, params)];
    let pool: Vec<PoolEntry> = pool.into_iter().flatten().collect();
    let bracket = |id, min_rating, max_rating| Bracket {
        min_rating,
        max_rating,
        ..crate::queues::bracket(id, pool.clone())
    };
    let queue = |(id, (name, leaderboard, team_size)): (u32, (&str, &str, u32))| QueueData {
        leaderboard: leaderboard.to_owned(),
        game_options: BTreeMap::from([("Share".to_owned(), "ShareUntilDeath".into())]),
        brackets: vec![bracket(1, None, Some(1000)), bracket(2, Some(1000), None)],
        ..crate::queues::queue(id, name, team_size)
    };
    (1..).zip(QUEUES).map(queue).collect()
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) player: usize,
    /// Reasons for which the lobby does not read from it.
    pub(super) holds: BTreeSet<HoldReason>,
    /// Messages that the lobby has not read yet.
    pub(super) outgoing: VecDeque<Result<ClientMessage, CommandError>>,
}

/// A request or, once the store has carried it out, its reply.
#[derive(Debug)]
enum Requested {
    Open(Request),
    Done(Reply),
}

impl Environment {
    pub(super) fn new(settings: Settings, players: usize, random: &mut Random) -> Self {
        let logins: Vec<String> = (1..=players).map(|number| format!("p{number}")).collect();
        let mut store = FakeStore::with_accounts(logins.iter().map(String::as_str));
        store.maps.insert("scmp_009".to_owned(), MapVersion { id: 9, is_ranked: true });
        store.data.queues = queues();
        for account in store.accounts.values_mut() {
            for leaderboard in [GLOBAL, LADDER] {
                if random.per_mille(600) {
                    let rating = Rating {
                        mean: random.within(500..2200) as f64,
                        deviation: random.within(60..300) as f64,
                    };
                    let rated = LeaderboardRating { rating, number_of_games: GAMES_BEFORE };
                    account.ratings.push((leaderboard.to_owned(), rated));
                }
            }
            for _ in 0..random.below(4) {
                let other = PlayerId(random.within(1..players as u64 + 1) as u32);
                if other != account.id {
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

    /// Returns the time as the lobby's clocks show it.
    pub(super) fn moment(&self, now: Duration) -> Moment {
        let utc = Timestamp(BEGINNING.0 + now.as_micros() as i64 + self.clock_error);
        Moment { elapsed: now - self.started, utc }
    }

    /// Returns the lobby's next deadline, in the time of the evening.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.world.next_deadline().map(|deadline| self.started + deadline)
    }

    pub(super) fn request(&mut self, request: Request) {
        self.requests.insert(request.id(), Requested::Open(request));
    }

    /// Returns the time until a request is carried out, and from then until its reply.
    ///
    /// The reply to the end of a game comes at once, because these replies arrive in the order in
    /// which the games were rated.
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

    /// Carries out a request in the store.
    pub(super) fn perform(&mut self, now: Duration, id: RequestId, random: &mut Random) {
        // The server was killed, and the request with it.
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

    /// Returns whether the database refuses a write as contradicting, which is rare. After a
    /// refused launch, all further writes are refused. A save or an end alone is never refused:
    /// after a kill of the server the game would return in an old state.
    fn is_refused(&mut self, game: GameId, write: &GameWrite, random: &mut Random) -> bool {
        match write {
            _ if self.refused.contains(&game) => true,
            GameWrite::Launch(_) if self.refuses && random.per_mille(20) => self.refused.insert(game),
            GameWrite::Note(_) => self.refuses && random.per_mille(50),
            _ => false,
        }
    }

    /// Returns the reply to a request, once.
    pub(super) fn reply(&mut self, id: RequestId) -> Option<Reply> {
        match self.requests.remove(&id)? {
            Requested::Done(reply) => Some(reply),
            Requested::Open(_) => None,
        }
    }

    /// Kills the server, and starts it again from the stored data.
    pub(super) fn restart(&mut self, now: Duration) {
        self.wires.clear();
        self.requests.clear();
        // Numbers of games that were never stored are assigned again.
        self.refused.clear();
        self.started = now;
        self.world = World::new(self.settings.clone(), self.moment(now), self.store.beginning());
    }
}
