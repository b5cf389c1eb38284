//! A lobby whose players search at random; its trace, played with the same settings, must make the
//! same matches.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use faf_laboratory::{Change, End, Extraction, Trace, TraceEvent, play};
use faf_lobby_core::matchmaking::queue::{QueueData, QueueId};
use faf_lobby_core::matchmaking::random::Random;
use faf_lobby_core::matchmaking::{Candidate, MatchmakingSettings, Member, Round};
use faf_lobby_core::ratings::{GLOBAL, LADDER};
use faf_lobby_core::{
    ConnId, Effect, Event, Moment, Popped, PoppedSearch, QueueEvent, Request, SearchId, Settings, Timestamp,
    World,
};
use faf_protocol::server_message::{LeaderboardRating, Rating};
use faf_protocol::{ClientMessage, Country, PlayerId, SessionNumber};
use faf_testkit::lobby::BEGINNING;
use faf_testkit::queues;
use faf_testkit::store::FakeStore;

const PLAYERS: u32 = 60;

/// A lobby that is as late for its deadlines as a busy server.
struct Evening {
    world: World,
    store: FakeStore,
    now: Duration,
    random: Random,
    extractions: Vec<Extraction>,
}

impl Evening {
    fn new(seed: u64) -> Self {
        let logins: Vec<String> = (1..=PLAYERS).map(|number| format!("p{number}")).collect();
        let mut store = FakeStore::with_accounts(logins.iter().map(String::as_str));
        let mut random = Random::from_seed(seed);
        for account in store.accounts.values_mut() {
            let rating = Rating { mean: 700.0 + 1600.0 * random.fraction(), deviation: 80.0 };
            let rating = LeaderboardRating { rating, number_of_games: random.index(200) as u32 };
            account.ratings = ["global", "ladder_1v1"].map(|name| (name.to_owned(), rating)).to_vec();
        }
        store.data.queues = [(1, "ladder1v1", 1), (2, "tmm2v2", 2), (3, "tmm4v4", 4)].map(queue).to_vec();
        let mut settings = Settings::default();
        settings.matches.violations.enabled = false;
        let now = Moment { elapsed: Duration::ZERO, utc: BEGINNING };
        let world = World::new(settings, now, store.beginning());
        let extractions = vec![Extraction::new(&world, Duration::ZERO)];
        let mut evening = Self { world, store, now: Duration::ZERO, random, extractions };
        for number in 1..=PLAYERS {
            evening.connect(number);
        }
        evening
    }

    fn moment(&self) -> Moment {
        Moment { elapsed: self.now, utc: Timestamp(BEGINNING.0 + self.now.as_micros() as i64) }
    }

    /// Gives the lobby an input and everything that it asks for.
    fn tell(&mut self, event: Option<Event>) {
        let mut inputs = VecDeque::from([event]);
        while let Some(event) = inputs.pop_front() {
            let now = self.moment();
            match event {
                Some(event) => self.world.handle(now, event),
                None => self.world.handle_timeout(now),
            }
            let mut events = Vec::new();
            while let Some(effect) = self.world.poll_effect() {
                match effect {
                    Effect::Queue(event) => events.push(event),
                    Effect::Request { request, .. } => inputs.push_back(Some(self.reply(request))),
                    _ => {}
                }
            }
            for extraction in &mut self.extractions {
                extraction.add(self.now, &events, &self.world);
            }
        }
    }

    fn reply(&mut self, request: Request) -> Event {
        Event::Replied { reply: self.store.perform(request) }
    }

    fn connect(&mut self, player: u32) {
        let (conn, session) = (ConnId(player.into()), SessionNumber(player));
        self.tell(Some(Event::Connected { conn, address: None, country: Country::UNKNOWN, session }));
        self.send(player, &format!(
            r#"{{"command":"hello","login":"p{player}","password":"p{player}-pw","unique_id":"m{player}"}}"#
        ));
    }

    fn send(&mut self, player: u32, text: &str) {
        let message = ClientMessage::read(text.parse().unwrap());
        self.tell(Some(Event::Received { conn: ConnId(player.into()), message }));
    }

    fn advance(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.world.next_deadline().filter(|deadline| *deadline <= until) {
            let late = Duration::from_nanos(self.random.index(40_000_000) as u64);
            self.now = self.now.max(deadline + late);
            self.tell(None);
        }
        self.now = self.now.max(until);
    }

    /// Lets players do something for some time.
    fn play(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            let pause = 300 + self.random.index(1500) as u64;
            self.advance(Duration::from_millis(pause));
            let player = 1 + self.random.index(PLAYERS as usize) as u32;
            let queue = ["ladder1v1", "tmm2v2", "tmm4v4"][self.random.index(3)];
            match self.random.index(20) {
                0 => self.search(player, queue, "stop"),
                1 => {
                    let other = 1 + self.random.index(PLAYERS as usize) as u32;
                    self.send(player, &format!(r#"{{"command":"invite_to_party","recipient_id":{other}}}"#));
                    self.send(other, &format!(r#"{{"command":"accept_party_invite","sender_id":{player}}}"#));
                }
                2 => self.send(player, r#"{"command":"leave_party"}"#),
                3 => {
                    self.tell(Some(Event::Disconnected { conn: ConnId(player.into()) }));
                    self.connect(player);
                }
                _ => self.search(player, queue, "start"),
            }
        }
    }

    fn search(&mut self, player: u32, queue: &str, state: &str) {
        self.send(
            player,
            &format!(
                r#"{{"command":"game_matchmaking","queue_name":"{queue}","state":"{state}","faction":1}}"#
            ),
        );
    }

    /// Restarts the server. Its players come back, and with them their searches.
    fn restart(&mut self) {
        self.world = World::new(Settings::default(), self.moment(), self.store.beginning());
        self.extractions.push(Extraction::new(&self.world, self.now));
        for player in 1..=PLAYERS {
            self.connect(player);
        }
    }

    fn reconfigure(&mut self, change: &str) {
        let mut settings = self.world.settings().clone();
        settings.matchmaking = Change::read([change]).unwrap().apply(&settings.matchmaking);
        self.tell(Some(Event::Reconfigured { settings: Box::new(settings) }));
    }
}

fn queue((id, name, team_size): (u32, &str, u32)) -> QueueData {
    let leaderboard = if team_size == 1 { LADDER } else { GLOBAL }.to_owned();
    QueueData { leaderboard, ..queues::queue(id, name, team_size) }
}

/// Returns whether an event is of some kind.
type IsIt = fn(&TraceEvent) -> bool;

/// Plays a trace with its own settings and returns the number of matches.
fn exact(trace: &Trace) -> usize {
    let recorded = trace.recorded_matches();
    let run = play(trace, &Change::default());
    assert_eq!(run.matches, recorded);
    let is_round = |event: &TraceEvent| matches!(event, TraceEvent::Round(_));
    assert_eq!(run.rounds, trace.steps.iter().filter(|step| is_round(&step.event)).count() as u64);
    assert!(run.searches.iter().all(|search| search.end != End::GivenUp));
    recorded.len()
}

#[test]
fn the_settings_of_an_evening_give_its_matches() {
    for seed in 1..=4 {
        let mut evening = Evening::new(seed);
        evening.play(Duration::from_secs(700));
        // The second trace begins in the middle, with queues and searches that go on.
        evening.extractions.push(Extraction::new(&evening.world, evening.now));
        evening.reconfigure("queue_pop_time_max=50");
        evening.play(Duration::from_secs(300));
        evening.reconfigure("newbie_base_mean=900");
        // The lobby reads its queues again after ten minutes: one has another peak, one is gone.
        evening.store.data.queues[1].rating_peak = 1600.0;
        evening.store.data.queues.remove(0);
        evening.play(Duration::from_secs(900));
        evening.store.data.queues.push(queue((9, "tmm3v3", 3)));
        evening.play(Duration::from_secs(900));

        let traces: Vec<Trace> = evening.extractions.into_iter().map(Extraction::finish).collect();
        let matches: Vec<usize> = traces.iter().map(exact).collect();
        assert!(matches[0] > matches[1] && matches[1] > 20, "{matches:?}");
        let kinds: [(&str, IsIt); 5] = [
            ("settings", |event| matches!(event, TraceEvent::Settings(_))),
            ("a queue that is gone", |event| matches!(event, TraceEvent::QueueGone(_))),
            ("a party", |event| matches!(event, TraceEvent::Search(search) if search.members.len() > 1)),
            (
                "a search from before",
                |event| matches!(event, TraceEvent::Search(search) if search.past.is_some()),
            ),
            ("a cancelled search", |event| matches!(event, TraceEvent::Cancel(_))),
        ];
        for (what, is_it) in kinds {
            assert!(traces[1].steps.iter().any(|step| is_it(&step.event)), "{what} is missing");
        }
        let run = play(&traces[0], &Change::default());
        assert!(run.searches.iter().any(|search| search.end == End::MatchedElsewhere));
        assert!(traces[0].steps.iter().any(|step| matches!(&step.event,
            TraceEvent::Round(round) if step.at > round.due)));

        // A trace that was written and read is the same.
        let mut file = Vec::new();
        traces[1].write(&mut file).unwrap();
        assert_eq!(Trace::read(&file[..]).unwrap(), traces[1]);

        // Other settings give other matches: the comparison above is not empty.
        let change = Change::read(["queue_pop_time_max=30", "minimum_game_quality=0.1"]).unwrap();
        assert_ne!(play(&traces[0], &change).matches, traces[0].recorded_matches());
    }
}

#[test]
fn searches_that_come_back_after_a_restart_are_in_the_trace() {
    let mut evening = Evening::new(5);
    evening.play(Duration::from_secs(100));
    evening.restart();
    evening.play(Duration::from_secs(600));
    let trace = evening.extractions.remove(1).finish();
    let restored = trace
        .steps
        .iter()
        .filter(|step| matches!(&step.event, TraceEvent::Search(search) if search.past.is_some()));
    assert!(restored.count() > 10);
    assert!(exact(&trace) > 10);
}

#[test]
fn ratings_that_change_during_a_search_are_in_the_trace_before_the_round_that_saw_them() {
    let evening = Evening::new(1);
    let settings = MatchmakingSettings::default();
    let candidate = |mean| {
        let rating = Rating { mean, deviation: 80.0 };
        Candidate::new(vec![Member { player: PlayerId(1), rating, games: 100 }], 0, 0.9, &settings)
    };
    let (queue, search) = (QueueId(1), SearchId(1));
    let began = QueueEvent::SearchBegan { queue, search, candidate: Box::new(candidate(1500.0)) };
    let popped = |mean| {
        let searches = vec![PoppedSearch { search, waited: Duration::ZERO, candidate: candidate(mean) }];
        let (wait, round, games) = (Duration::from_secs(45), Round::default(), Vec::new());
        QueueEvent::Popped(Box::new(Popped { queue, wait, searches, round, games }))
    };
    let mut extraction = Extraction::new(&evening.world, Duration::ZERO);
    let events = [began, popped(1500.0), popped(1600.0), popped(1600.0)];
    extraction.add(Duration::from_secs(1), &events, &evening.world);
    let steps = extraction.finish().steps;
    let kinds: Vec<Option<f64>> = steps
        .iter()
        .filter_map(|step| match &step.event {
            TraceEvent::Ratings(ratings) => Some(Some(ratings.members[0].rating.mean)),
            TraceEvent::Round(_) => Some(None),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [None, Some(1600.0), None, None]);
}

#[test]
fn a_player_is_in_one_match_at_a_time() {
    let mut evening = Evening::new(7);
    evening.play(Duration::from_secs(1200));
    let trace = evening.extractions.remove(0).finish();
    let members: BTreeMap<_, Vec<PlayerId>> = trace
        .steps
        .iter()
        .filter_map(|step| match &step.event {
            TraceEvent::Search(search) => {
                Some((search.id, search.members.iter().map(|member| member.player).collect()))
            }
            _ => None,
        })
        .collect();
    for change in ["queue_pop_time_max=20", "queue_pop_time_max=300", "minimum_game_quality=0"] {
        let run = play(&trace, &Change::read([change]).unwrap());
        // No search is matched twice, and no player twice in a round.
        let mut matched = Vec::new();
        for found in &run.matches {
            let mut players: Vec<PlayerId> =
                found.teams.iter().flatten().flat_map(|search| members[search].clone()).collect();
            matched.extend(found.teams.iter().flatten().copied());
            let count = players.len();
            players.sort_unstable();
            players.dedup();
            assert_eq!(players.len(), count, "{found:?}");
        }
        let count = matched.len();
        matched.sort_unstable();
        matched.dedup();
        assert_eq!(matched.len(), count, "{change}");
        assert!(count > 20, "{change}: {count}");
    }
}
