//! [`play`]: the rounds of an evening, played with any settings.
//!
//! | on the evening a search | in the run it |
//! |---|---|
//! | begins | begins at the same time |
//! | is cancelled | ends at the same time, unless it is matched before |
//! | is matched, but not in the run | waits on, but see below |
//! | is not matched, or later than in the run | ends with its match |
//!
//! A search that waits on ends when it is matched, when one of its players begins another search,
//! or after half an hour. Searches begin as on the evening, even if their players were matched
//! only in the run, or only on the evening, and might be playing.
//!
//! A match ends the searches of its players in other queues. Rounds are played when they are due. A
//! round that is due exactly when one of the evening was is played when that was, since a busy
//! server is a little late: so the same settings give the same matches.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_lobby_core::SearchId;
use faf_lobby_core::matchmaking::candidate::self_quality;
use faf_lobby_core::matchmaking::queue::QueueId;
use faf_lobby_core::matchmaking::{Candidate, MatchmakingSettings, Member, PopTimer, QueueRules, play_round};
use faf_protocol::PlayerId;

use crate::change::Change;
use crate::trace::{PlayedMatch, Timing, Trace, TraceEvent, TracedQueue, TracedSearch};

/// How long a search that was matched on the evening waits on in a run. Players do not wait for
/// ever, and a queue full of searches that nobody would have continued makes matches too easy.
const WAITS_ON: Duration = Duration::from_secs(1800);

/// An evening as it went with some settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// All matches, in their order.
    pub matches: Vec<PlayedMatch>,
    /// All searches, in the order in which they began.
    pub searches: Vec<RunSearch>,
    /// The names of all queues.
    pub queues: BTreeMap<QueueId, String>,
    /// Number of rounds.
    pub rounds: u64,
}

/// A search in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSearch {
    /// Its queue.
    pub queue: QueueId,
    /// Mean of the displayed ratings when it began.
    pub rating: f64,
    /// How long it went on.
    pub waited: Duration,
    /// Number of rounds in which it found no match.
    pub failed_attempts: u32,
    /// How it ended.
    pub end: End,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    /// With a match.
    Matched {
        /// Quality of the match.
        quality: f64,
    },
    /// A player was matched in another queue.
    MatchedElsewhere,
    /// It was cancelled.
    Cancelled,
    /// It was matched on the evening and not in the run, and has waited as long as a run waits.
    GivenUp,
    /// It was still going on at the end.
    Unfinished,
}

/// Plays the rounds of a trace, with its own settings and a change of them.
#[must_use]
pub fn play(trace: &Trace, change: &Change) -> Run {
    let mut evening = Evening::new(trace, change);
    for step in &trace.steps {
        evening.play_due(step.at);
        evening.step(step.at, &step.event);
    }
    evening.finish(trace.steps.last().map_or(Duration::ZERO, |step| step.at))
}

struct Evening<'a> {
    change: &'a Change,
    settings: MatchmakingSettings,
    queues: BTreeMap<QueueId, Queue>,
    names: BTreeMap<QueueId, String>,
    /// All searches so far.
    searches: BTreeMap<SearchId, Search>,
    /// The searches of each player that go on in the run.
    searching: BTreeMap<PlayerId, BTreeSet<SearchId>>,
    /// The recorded rounds, each with the time at which it was due.
    recorded: BTreeSet<(QueueId, Duration)>,
    matches: Vec<PlayedMatch>,
    rounds: u64,
}

struct Queue {
    rules: QueueRules,
    timer: PopTimer,
    next: Duration,
    planned: Duration,
    /// The searches that go on.
    searches: BTreeSet<SearchId>,
}

struct Search {
    queue: QueueId,
    members: Vec<Member>,
    rating: f64,
    self_quality: f64,
    failed_attempts: u32,
    began: Duration,
    /// How long it had gone on before it came into the trace.
    waited_before: Duration,
    /// When it was matched on the evening.
    matched_at: Option<Duration>,
    /// When and how it ended in the run.
    end: Option<(Duration, End)>,
}

impl<'a> Evening<'a> {
    fn new(trace: &Trace, change: &'a Change) -> Self {
        let recorded = trace.steps.iter().filter_map(|step| match &step.event {
            TraceEvent::Round(round) => Some((round.queue, round.due)),
            _ => None,
        });
        Self {
            change,
            settings: change.apply(&trace.settings),
            queues: BTreeMap::new(),
            names: BTreeMap::new(),
            searches: BTreeMap::new(),
            searching: BTreeMap::new(),
            recorded: recorded.collect(),
            matches: Vec::new(),
            rounds: 0,
        }
    }

    /// Plays the rounds that are due until `now`, but for those that the server was late for: they
    /// come with their step. A round comes before everything else at its time, as in the lobby.
    fn play_due(&mut self, now: Duration) {
        loop {
            let due = self.queues.iter().map(|(id, queue)| (queue.next, *id));
            let next = due.filter(|(due, id)| *due <= now && !self.recorded.contains(&(*id, *due))).min();
            let Some((due, id)) = next else { return };
            self.play(due, id);
        }
    }

    fn step(&mut self, now: Duration, event: &TraceEvent) {
        match event {
            TraceEvent::Settings(settings) => self.settings = self.change.apply(settings),
            TraceEvent::Queue(queue) => self.queue(now, queue),
            TraceEvent::QueueGone(id) => {
                for search in self.queues.remove(id).into_iter().flat_map(|queue| queue.searches) {
                    self.end(now, search, End::Cancelled);
                }
            }
            TraceEvent::Search(search) => self.begin(now, search),
            TraceEvent::Ratings(ratings) => {
                if let Some(search) = self.searches.get_mut(&ratings.search) {
                    search.members.clone_from(&ratings.members);
                }
            }
            TraceEvent::Cancel(search) => self.end(now, *search, End::Cancelled),
            TraceEvent::Round(round) => {
                if self.queues.get(&round.queue).is_some_and(|queue| queue.next == round.due) {
                    self.play(now, round.queue);
                }
                for search in round.matches.iter().flat_map(|found| found.teams.iter().flatten()) {
                    self.matched_on_the_evening(now, *search);
                }
            }
        }
    }

    fn queue(&mut self, now: Duration, traced: &TracedQueue) {
        self.names.insert(traced.id, traced.name.clone());
        let rules = QueueRules { team_size: traced.team_size, rating_peak: traced.rating_peak };
        if let Some(queue) = self.queues.get_mut(&traced.id) {
            queue.rules = rules;
            return;
        }
        let (timer, next, planned) = match &traced.timing {
            Some(Timing { timer, next, planned }) => (timer.clone(), *next, *planned),
            None => {
                let wait = PopTimer::first_wait(&self.settings);
                (PopTimer::default(), now.saturating_add(wait), wait)
            }
        };
        self.queues.insert(traced.id, Queue { rules, timer, next, planned, searches: BTreeSet::new() });
    }

    fn begin(&mut self, now: Duration, traced: &TracedSearch) {
        let TracedSearch { id, queue, members, past } = traced;
        // A player who searches again has left what the run has kept going.
        for player in members.iter().map(|member| member.player) {
            for other in self.searching.get(&player).cloned().unwrap_or_default() {
                let search = &self.searches[&other];
                if search.matched_at.is_some() || search.queue == *queue {
                    self.end(now, other, End::GivenUp);
                }
            }
        }
        let Some(entered) = self.queues.get_mut(queue) else { return };
        entered.searches.insert(*id);
        for member in members {
            self.searching.entry(member.player).or_default().insert(*id);
        }
        let own = || self_quality(members, &self.settings);
        let shown = members.iter().map(|member| member.rating.displayed()).sum::<f64>();
        let search = Search {
            queue: *queue,
            members: members.clone(),
            rating: shown / members.len() as f64,
            self_quality: past.map_or_else(own, |past| past.self_quality),
            failed_attempts: past.map_or(0, |past| past.failed_attempts),
            began: now,
            waited_before: past.map_or(Duration::ZERO, |past| past.waited),
            matched_at: None,
            end: None,
        };
        self.searches.insert(*id, search);
    }

    /// Marks the searches that the players of a matched search still have in the run: on the
    /// evening a match has ended them.
    fn matched_on_the_evening(&mut self, now: Duration, search: SearchId) {
        let members = self.searches.get(&search).map_or(&[][..], |search| &search.members);
        let open: BTreeSet<SearchId> = members
            .iter()
            .filter_map(|member| self.searching.get(&member.player))
            .flatten()
            .copied()
            .collect();
        for search in open {
            if let Some(search) = self.searches.get_mut(&search) {
                search.matched_at.get_or_insert(now);
            }
        }
    }

    /// Ends a search, if it still goes on.
    fn end(&mut self, now: Duration, id: SearchId, end: End) {
        let Some(search) = self.searches.get_mut(&id).filter(|search| search.end.is_none()) else { return };
        search.end = Some((now, end));
        if let Some(queue) = self.queues.get_mut(&search.queue) {
            queue.searches.remove(&id);
        }
        for member in &search.members {
            if let Some(searches) = self.searching.get_mut(&member.player) {
                searches.remove(&id);
            }
        }
    }

    fn play(&mut self, now: Duration, id: QueueId) {
        self.rounds += 1;
        let waited_on = |search: &SearchId| {
            self.searches[search].matched_at.is_some_and(|matched| matched.saturating_add(WAITS_ON) <= now)
        };
        let searches = self.queues.get(&id).into_iter().flat_map(|queue| &queue.searches);
        for search in searches.copied().filter(waited_on).collect::<Vec<_>>() {
            self.end(now, search, End::GivenUp);
        }

        let Some(queue) = self.queues.get_mut(&id) else { return };
        let searches: Vec<SearchId> = queue.searches.iter().copied().collect();
        let candidate = |search: &SearchId| {
            let Search { members, failed_attempts, self_quality, .. } = &self.searches[search];
            Candidate::new(members.clone(), *failed_attempts, *self_quality, &self.settings)
        };
        let candidates: Vec<Candidate> = searches.iter().map(candidate).collect();
        let players = candidates.iter().map(Candidate::size).sum();
        let wait = queue.timer.pop(players, queue.planned, queue.rules.team_size, &self.settings);
        (queue.planned, queue.next) = (wait, now.saturating_add(wait));
        let round = play_round(&candidates, queue.rules, &self.settings);

        for unmatched in &round.unmatched {
            if let Some(search) = self.searches.get_mut(&searches[unmatched.candidate]) {
                search.failed_attempts = search.failed_attempts.saturating_add(1);
            }
        }
        for found in &round.matches {
            let search = |candidate: &usize| searches[*candidate];
            let teams = found.teams.each_ref().map(|team| team.iter().map(search).collect::<Vec<_>>());
            let quality = found.quality.value();
            for search in teams.iter().flatten() {
                self.end(now, *search, End::Matched { quality });
            }
            let members = teams.iter().flatten().flat_map(|search| &self.searches[search].members);
            let others = members.filter_map(|member| self.searching.get(&member.player)).flatten();
            for other in others.copied().collect::<BTreeSet<_>>() {
                self.end(now, other, End::MatchedElsewhere);
            }
            self.matches.push(PlayedMatch { at: now, queue: id, teams, quality });
        }
    }

    fn finish(self, now: Duration) -> Run {
        let searches = self.searches.into_values().map(|search| {
            let (ended, end) = search.end.unwrap_or((now, End::Unfinished));
            RunSearch {
                queue: search.queue,
                rating: search.rating,
                waited: ended.saturating_sub(search.began) + search.waited_before,
                failed_attempts: search.failed_attempts,
                end,
            }
        });
        let searches = searches.collect();
        Run { matches: self.matches, searches, queues: self.names, rounds: self.rounds }
    }
}
