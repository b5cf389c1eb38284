//! Queues of the matchmaker, their searches and their matches (ops.md section 5).
//!
//! Names of queues come from the database, where an operator changes them. As values of a label
//! they are bounded like those of clients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use faf_lobby_core::matchmaking::Match;
use faf_lobby_core::matchmaking::queue::QueueId;
use faf_lobby_core::{MatchOutcome, Popped, PoppedSearch, Queue, QueueEvent, World, escaped};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{FreeLabels, LABEL_VALUES, bounded};

/// Upper bounds of the quality of matches.
const QUALITY: [f64; 13] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0];

/// Upper bounds of the difference of the summed ratings of two teams, in rating points.
const IMBALANCE: [f64; 13] =
    [50.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0];

/// Upper bounds of the difference of the highest and the lowest rating of a match.
const VARIETY: [f64; 15] = [
    100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0, 1200.0, 1400.0, 1600.0, 1800.0,
    2000.0,
];

/// Upper bounds of the duration of searches, in seconds.
const DURATION: [f64; 11] = [30.0, 60.0, 120.0, 180.0, 240.0, 300.0, 420.0, 600.0, 900.0, 1800.0, 3600.0];

/// Histograms with these labels, all with the same upper bounds.
type Histograms<const N: usize> = Family<FreeLabels<N>, Histogram, fn() -> Histogram>;

/// The figures of the queues.
#[derive(Debug)]
pub(super) struct QueueFigures {
    matches: Family<FreeLabels<2>, Counter>,
    searches_matched: Family<FreeLabels<2>, Counter>,
    quality: Histograms<1>,
    imbalance: Histograms<1>,
    rating_variety: Histograms<1>,
    search_duration: Histograms<2>,
    unmatched_searches: Family<FreeLabels<1>, Gauge>,
    players: Family<FreeLabels<1>, Gauge>,
    pop_timer: Family<FreeLabels<1>, Gauge>,
    labels: Mutex<Labels>,
    /// All labels of queues so far.
    known: Mutex<BTreeSet<FreeLabels<1>>>,
}

/// The labels of the queues.
#[derive(Debug, Default)]
struct Labels {
    /// The labels of queues, removed ones as well: their matches may still be set up.
    of_queue: BTreeMap<QueueId, FreeLabels<1>>,
    /// Labels that have gauges.
    with_gauges: BTreeSet<FreeLabels<1>>,
}

impl QueueFigures {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let figures = Self {
            matches: Family::default(),
            searches_matched: Family::default(),
            quality: Family::new_with_constructor(|| Histogram::new(QUALITY)),
            imbalance: Family::new_with_constructor(|| Histogram::new(IMBALANCE)),
            rating_variety: Family::new_with_constructor(|| Histogram::new(VARIETY)),
            search_duration: Family::new_with_constructor(|| Histogram::new(DURATION)),
            unmatched_searches: Family::default(),
            players: Family::default(),
            pop_timer: Family::default(),
            labels: Mutex::default(),
            known: Mutex::default(),
        };
        macro_rules! register {
            ($($field:ident: $name:literal, $help:literal;)+) => {
                $( registry.register(concat!("server_matchmaker_", $name), $help, figures.$field.clone()); )+
            };
        }
        register! {
            matches: "queue_matches", "Matches by queue and how they ended: launched or not";
            searches_matched: "queue_searches_matched", "Parties that were matched, by queue and number of players";
            quality: "queue_quality", "Quality of matches";
            imbalance: "matches_imbalance", "Difference of the summed ratings of the two teams of a match";
            rating_variety: "matches_rating_variety", "Difference of the highest and the lowest rating in a match";
            unmatched_searches: "queue_unmatched_searches", "Searches without a match after the last round";
            search_duration: "queue_search_duration_seconds", "Time from the beginning of a search to its end";
            players: "queue_players", "Players in the queue at the last round";
            pop_timer: "queue_pop_timer_seconds", "Time from the last round to the next one";
        }
        figures
    }

    /// Counts an event in a queue.
    pub(super) fn count(&self, event: &QueueEvent, world: &World) {
        match event {
            QueueEvent::SearchBegan { queue, .. } | QueueEvent::SearchRestored { queue, .. } => {
                self.learn(*queue, world);
            }
            QueueEvent::SearchCancelled { queue, waited, .. } => {
                self.search_ended(self.label(*queue), "cancelled", *waited);
            }
            QueueEvent::Popped(popped) => {
                self.learn(popped.queue, world);
                self.popped(popped, &self.label(popped.queue));
            }
            QueueEvent::MatchEnded { queue, outcome, .. } => {
                let status = match outcome {
                    MatchOutcome::Launched => "successful",
                    MatchOutcome::TimedOut => "timed out",
                    MatchOutcome::PlayerLeft => "aborted by player",
                    MatchOutcome::Errored => "errored",
                };
                self.matches.get_or_create(&with(self.label(*queue), "status", status)).inc();
            }
        }
    }

    /// Updates the gauges of all queues, and removes those of queues that are gone.
    pub(super) fn show<'a>(&self, queues: impl Iterator<Item = &'a Queue>) {
        let mut labels = self.lock();
        let mut present = BTreeSet::new();
        for queue in queues {
            labels.learn(queue, &self.known);
            let label = labels.of(queue.data().id);
            set(&self.pop_timer, &label, queue.planned().as_secs());
            present.insert(label);
        }
        for gone in std::mem::replace(&mut labels.with_gauges, present.clone()).difference(&present) {
            for gauges in [&self.unmatched_searches, &self.players, &self.pop_timer] {
                gauges.remove(gone);
            }
        }
    }

    fn popped(&self, popped: &Popped, queue: &FreeLabels<1>) {
        self.lock().with_gauges.insert(queue.clone());
        let players: u32 = popped.searches.iter().map(|search| search.candidate.size()).sum();
        set(&self.players, queue, players.into());
        set(&self.unmatched_searches, queue, popped.round.unmatched.len() as u64);
        set(&self.pop_timer, queue, popped.wait.as_secs());
        for (found, game) in popped.round.matches.iter().zip(&popped.games) {
            // The searches are over as well if there was no id for their game.
            let status = if game.is_some() { "successful" } else { "errored" };
            for search in found.teams.iter().flatten().filter_map(|search| popped.searches.get(*search)) {
                let size = search.candidate.size().to_string();
                self.searches_matched.get_or_create(&with(queue.clone(), "player_size", &size)).inc();
                self.search_ended(queue.clone(), status, search.waited);
            }
            self.quality.get_or_create(queue).observe(found.quality.value());
            let (imbalance, variety) = ratings(found, &popped.searches);
            self.imbalance.get_or_create(queue).observe(imbalance);
            self.rating_variety.get_or_create(queue).observe(variety);
        }
    }

    fn search_ended(&self, queue: FreeLabels<1>, status: &str, waited: Duration) {
        let labels = with(queue, "status", status);
        self.search_duration.get_or_create(&labels).observe(waited.as_secs_f64());
    }

    /// Notes the name that a queue has now. An event about a search or a match that ends does not
    /// change the name: it counts for the queue in which the search began.
    fn learn(&self, id: QueueId, world: &World) {
        if let Some(queue) = world.queues().find(|queue| queue.data().id == id) {
            self.lock().learn(queue, &self.known);
        }
    }

    fn label(&self, queue: QueueId) -> FreeLabels<1> {
        self.lock().of(queue)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Labels> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Labels {
    fn learn(&mut self, queue: &Queue, known: &Mutex<BTreeSet<FreeLabels<1>>>) {
        let (id, name) = (queue.data().id, escaped(&queue.data().name).to_string());
        if self.of_queue.len() < LABEL_VALUES || self.of_queue.contains_key(&id) {
            self.of_queue.insert(id, bounded(known, [("queue", name)]));
        }
    }

    fn of(&self, queue: QueueId) -> FreeLabels<1> {
        self.of_queue.get(&queue).cloned().unwrap_or_else(|| [("queue", "other".to_owned())])
    }
}

/// Returns the difference of the summed displayed ratings of the teams, and that of the highest and
/// the lowest rating.
fn ratings(found: &Match, searches: &[PoppedSearch]) -> (f64, f64) {
    let of = |team: &[usize]| -> Vec<f64> {
        let searches = team.iter().filter_map(|search| searches.get(*search));
        searches.flat_map(|search| search.candidate.displayed_ratings()).collect()
    };
    let teams = found.teams.each_ref().map(|team| of(team));
    let sums = teams.each_ref().map(|team| team.iter().sum::<f64>());
    let all = || teams.iter().flatten().copied();
    let (lowest, highest) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    ((sums[0] - sums[1]).abs(), highest - lowest)
}

fn with([queue]: FreeLabels<1>, name: &'static str, value: &str) -> FreeLabels<2> {
    [queue, (name, value.to_owned())]
}

fn set(gauges: &Family<FreeLabels<1>, Gauge>, labels: &FreeLabels<1>, value: u64) {
    gauges.get_or_create(labels).set(value.try_into().unwrap_or(i64::MAX));
}

#[cfg(test)]
mod tests {

    use faf_lobby_core::matchmaking::queue::QueueData;
    use faf_testkit::queues::queue;

    use faf_lobby_core::Settings;
    use faf_protocol::GameId;
    use faf_protocol::server_message::{LeaderboardRating, Rating};
    use faf_testkit::lobby::SimulatedLobby;
    use faf_testkit::store::FakeStore;

    use super::super::Metrics;
    use super::*;

    /// A lobby whose events are counted.
    struct Counted {
        lobby: SimulatedLobby,
        metrics: Metrics,
    }

    impl Counted {
        fn new(queues: Vec<QueueData>) -> Self {
            let mut store = FakeStore::with_accounts(["Ada", "Bob", "Cem"]);
            store.data.queues = queues;
            for (login, mean) in [("Ada", 1500.0), ("Bob", 1430.0), ("Cem", 1500.0)] {
                let rating =
                    LeaderboardRating { rating: Rating { mean, deviation: 80.0 }, number_of_games: 100 };
                store.account(login).ratings = vec![("ladder_1v1".to_owned(), rating)];
            }
            Self { lobby: SimulatedLobby::new(Settings::default(), store), metrics: Metrics::new() }
        }

        fn text(&mut self) -> String {
            for event in self.lobby.queue_events.drain(..) {
                self.metrics.count_queue_event(&event, &self.lobby.world);
            }
            self.metrics.show_queues(self.lobby.world.queues());
            self.metrics.text().unwrap()
        }

        fn check(&mut self, lines: &[&str]) {
            let text = self.text();
            for line in lines {
                assert!(text.lines().any(|found| found == *line), "{line} is missing in\n{text}");
            }
        }
    }

    #[test]
    fn searches_and_matches_are_counted_by_queue() {
        let mut counted = Counted::new(vec![queue(1, "ladder1v1", 1), queue(2, "tmm2v2", 2)]);
        counted.check(&[r#"server_matchmaker_queue_pop_timer_seconds{queue="tmm2v2"} 45"#]);
        let conns = ["Ada", "Bob", "Cem"].map(|login| counted.lobby.log_in(login));
        let search = |state: &str, queue: &str| {
            format!(r#"{{"command":"game_matchmaking","state":"{state}","queue_name":"{queue}"}}"#)
        };
        for (conn, queue) in [(0, "ladder1v1"), (1, "ladder1v1"), (2, "tmm2v2")] {
            counted.lobby.send(conns[conn], &search("start", queue));
        }
        counted.lobby.advance(Duration::from_secs(46));
        counted.check(&[
            r#"server_matchmaker_queue_players{queue="ladder1v1"} 2"#,
            r#"server_matchmaker_queue_unmatched_searches{queue="ladder1v1"} 0"#,
            r#"server_matchmaker_queue_players{queue="tmm2v2"} 1"#,
            r#"server_matchmaker_queue_unmatched_searches{queue="tmm2v2"} 1"#,
            r#"server_matchmaker_queue_pop_timer_seconds{queue="tmm2v2"} 90"#,
            r#"server_matchmaker_queue_searches_matched_total{queue="ladder1v1",player_size="1"} 2"#,
            r#"server_matchmaker_queue_quality_bucket{le="0.9",queue="ladder1v1"} 0"#,
            r#"server_matchmaker_queue_quality_bucket{le="0.95",queue="ladder1v1"} 1"#,
            r#"server_matchmaker_matches_imbalance_bucket{le="50.0",queue="ladder1v1"} 0"#,
            r#"server_matchmaker_matches_imbalance_sum{queue="ladder1v1"} 70.0"#,
            r#"server_matchmaker_matches_rating_variety_sum{queue="ladder1v1"} 70.0"#,
            r#"server_matchmaker_queue_search_duration_seconds_bucket{le="30.0",queue="ladder1v1",status="successful"} 0"#,
            r#"server_matchmaker_queue_search_duration_seconds_bucket{le="60.0",queue="ladder1v1",status="successful"} 2"#,
        ]);
        counted.lobby.send(conns[2], &search("stop", "tmm2v2"));
        counted.lobby.disconnect(conns[0]);
        counted.lobby.advance(Duration::from_secs(200));
        counted.check(&[
            r#"server_matchmaker_queue_search_duration_seconds_count{queue="tmm2v2",status="cancelled"} 1"#,
            r#"server_matchmaker_queue_matches_total{queue="ladder1v1",status="aborted by player"} 1"#,
        ]);
        assert!(!counted.text().contains("errored"));
    }

    #[test]
    fn every_end_of_a_match_has_its_status() {
        let mut counted = Counted::new(vec![queue(1, "ladder1v1", 1)]);
        counted.text();
        for (outcome, status) in [
            (MatchOutcome::Launched, "successful"),
            (MatchOutcome::TimedOut, "timed out"),
            (MatchOutcome::PlayerLeft, "aborted by player"),
            (MatchOutcome::Errored, "errored"),
        ] {
            let event = QueueEvent::MatchEnded { queue: QueueId(1), game: Some(GameId(1)), outcome };
            counted.lobby.queue_events.push(event);
            let line =
                format!(r#"server_matchmaker_queue_matches_total{{queue="ladder1v1",status="{status}"}} 1"#);
            counted.check(&[&line]);
        }
    }

    #[test]
    fn a_removed_queue_has_no_gauges_and_keeps_its_counters() {
        let mut counted = Counted::new(vec![queue(1, "ladder1v1", 1), queue(2, "tmm2v2", 2)]);
        let conn = counted.lobby.log_in("Ada");
        counted
            .lobby
            .send(conn, r#"{"command":"game_matchmaking","state":"start","queue_name":"ladder1v1"}"#);
        counted.lobby.advance(Duration::from_secs(60));
        counted.check(&[r#"server_matchmaker_queue_players{queue="ladder1v1"} 1"#]);
        counted.lobby.store.data.queues.remove(0);
        counted.lobby.advance(Duration::from_secs(660));
        let text = counted.text();
        for gauge in ["players", "unmatched_searches", "pop_timer_seconds"] {
            let of =
                |queue: &str| text.contains(&format!("server_matchmaker_queue_{gauge}{{queue=\"{queue}\"}}"));
            assert!(of("tmm2v2") && !of("ladder1v1"), "{gauge} in\n{text}");
        }
        // The search ended after the queue was gone, and counts for it.
        counted.check(&[
            r#"server_matchmaker_queue_search_duration_seconds_count{queue="ladder1v1",status="cancelled"} 1"#,
        ]);
    }

    #[test]
    fn renamed_queues_cannot_create_unlimited_series() {
        let mut counted = Counted::new(vec![queue(1, "first", 1)]);
        for number in 0..150 {
            counted.lobby.store.data.queues[0].name = format!("name {number}");
            counted.lobby.advance(Duration::from_secs(600));
            counted.text();
        }
        let text = counted.text();
        let gauges = text.matches("server_matchmaker_queue_pop_timer_seconds{").count();
        assert_eq!(gauges, 1, "{text}");
        assert!(text.contains("server_matchmaker_queue_pop_timer_seconds{queue=\"other\"}"), "{text}");
    }
}
