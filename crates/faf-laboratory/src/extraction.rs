//! [`Extraction`]: the trace of a lobby that runs, or that is replayed from a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_lobby_core::matchmaking::queue::QueueId;
use faf_lobby_core::matchmaking::{Candidate, MatchmakingSettings, Member};
use faf_lobby_core::{Popped, Queue, QueueEvent, SearchId, World};
use faf_protocol::PlayerId;

use crate::trace::{
    Past, Timing, Trace, TraceEvent, TraceStep, TracedMatch, TracedQueue, TracedRatings, TracedRound,
    TracedSearch,
};

/// A trace in the making.
#[derive(Debug)]
pub struct Extraction {
    trace: Trace,
    /// The settings as the trace has them.
    settings: MatchmakingSettings,
    /// The queues as the trace has them.
    queues: BTreeMap<QueueId, TracedQueue>,
    /// When the next round of each queue is due.
    due: BTreeMap<QueueId, Duration>,
    /// The players of searches that go on, as the trace has them.
    searches: BTreeMap<SearchId, Vec<Member>>,
}

impl Extraction {
    /// Begins a trace with the queues and searches of a lobby.
    #[must_use]
    pub fn new(world: &World, now: Duration) -> Self {
        let settings = world.settings().matchmaking;
        let trace = Trace { settings, steps: Vec::new() };
        let (queues, due, searches) = Default::default();
        let mut extraction = Self { trace, settings, queues, due, searches };
        let mut found = Vec::new();
        for queue in world.queues() {
            let timing =
                Timing { timer: queue.timer().clone(), next: queue.next_pop(), planned: queue.planned() };
            extraction.queue(now, TracedQueue { timing: Some(timing), ..traced(queue) });
            extraction.due.insert(queue.data().id, queue.next_pop());
            found.extend(world.searches(queue).into_iter().map(|search| (queue.data().id, search)));
        }
        found.sort_by_key(|(_, search)| search.search);
        for (queue, search) in found {
            let past = past(search.waited, &search.candidate);
            extraction.search(now, queue, search.search, search.candidate.members(), Some(past));
        }
        extraction
    }

    /// Adds all that an input of the lobby has led to. `events` are those of its effects, and
    /// `world` is the lobby after it.
    pub fn add<'a>(
        &mut self,
        now: Duration,
        events: impl IntoIterator<Item = &'a QueueEvent>,
        world: &World,
    ) {
        // A match ends all other searches of its players. They are reported before the round,
        // and are no decision of the players, who may be matched later, or not at all, in a run
        // with other settings.
        let mut cancelled = Vec::new();
        for event in events {
            match event {
                QueueEvent::SearchBegan { queue, search, candidate } => {
                    self.cancel(now, &mut cancelled, &BTreeSet::new());
                    self.search(now, *queue, *search, candidate.members(), None);
                }
                QueueEvent::SearchRestored { queue, search, waited, candidate } => {
                    self.cancel(now, &mut cancelled, &BTreeSet::new());
                    self.search(now, *queue, *search, candidate.members(), Some(past(*waited, candidate)));
                }
                QueueEvent::SearchCancelled { search, .. } => cancelled.push(*search),
                QueueEvent::Popped(popped) => {
                    let matched = players(popped);
                    self.cancel(now, &mut cancelled, &matched);
                    self.round(now, popped);
                }
                QueueEvent::MatchEnded { .. } => {}
            }
        }
        self.cancel(now, &mut cancelled, &BTreeSet::new());
        self.changes(now, world);
    }

    /// Ends the trace.
    #[must_use]
    pub fn finish(self) -> Trace {
        self.trace
    }

    fn push(&mut self, at: Duration, event: TraceEvent) {
        self.trace.steps.push(TraceStep { at, event });
    }

    fn queue(&mut self, now: Duration, queue: TracedQueue) {
        self.queues.insert(queue.id, TracedQueue { timing: None, ..queue.clone() });
        self.push(now, TraceEvent::Queue(queue));
    }

    fn search(
        &mut self,
        now: Duration,
        queue: QueueId,
        id: SearchId,
        members: &[Member],
        past: Option<Past>,
    ) {
        let members = members.to_vec();
        self.searches.insert(id, members.clone());
        self.push(now, TraceEvent::Search(TracedSearch { id, queue, members, past }));
    }

    /// Adds searches that were cancelled, but for those of players who have just been matched.
    fn cancel(&mut self, now: Duration, cancelled: &mut Vec<SearchId>, matched: &BTreeSet<PlayerId>) {
        for search in cancelled.drain(..) {
            let members = self.searches.remove(&search).unwrap_or_default();
            if !members.iter().any(|member| matched.contains(&member.player)) {
                self.push(now, TraceEvent::Cancel(search));
            }
        }
    }

    fn round(&mut self, now: Duration, popped: &Popped) {
        for seen in &popped.searches {
            let members = seen.candidate.members();
            if let Some(known) = self.searches.get_mut(&seen.search)
                && known != members
            {
                *known = members.to_vec();
                let ratings = TracedRatings { search: seen.search, members: members.to_vec() };
                self.push(now, TraceEvent::Ratings(ratings));
            }
        }
        let search = |candidate: &usize| popped.searches[*candidate].search;
        let matches = popped.round.matches.iter().map(|found| TracedMatch {
            teams: found.teams.each_ref().map(|team| team.iter().map(search).collect()),
            quality: found.quality.value(),
        });
        let matches: Vec<TracedMatch> = matches.collect();
        for search in matches.iter().flat_map(|found| found.teams.iter().flatten()) {
            self.searches.remove(search);
        }
        let due = self.due.get(&popped.queue).copied().unwrap_or(now);
        self.push(now, TraceEvent::Round(TracedRound { queue: popped.queue, due, matches }));
    }

    /// Adds changes of settings and queues.
    fn changes(&mut self, now: Duration, world: &World) {
        let settings = world.settings().matchmaking;
        if settings != self.settings {
            self.settings = settings;
            self.push(now, TraceEvent::Settings(settings));
        }
        let gone: Vec<QueueId> = self
            .queues
            .keys()
            .filter(|id| world.queues().all(|queue| queue.data().id != **id))
            .copied()
            .collect();
        for id in gone {
            self.queues.remove(&id);
            self.due.remove(&id);
            self.push(now, TraceEvent::QueueGone(id));
        }
        for queue in world.queues() {
            let (data, rules) = (queue.data(), queue.rules());
            let is_known = self.queues.get(&data.id).is_some_and(|known| {
                known.name == data.name
                    && known.team_size == rules.team_size
                    && known.rating_peak == rules.rating_peak
            });
            if !is_known {
                self.queue(now, traced(queue));
            }
            self.due.insert(data.id, queue.next_pop());
        }
    }
}

fn past(waited: Duration, candidate: &Candidate) -> Past {
    let (failed_attempts, self_quality) = (candidate.failed_attempts(), candidate.self_quality());
    Past { waited, failed_attempts, self_quality }
}

fn traced(queue: &Queue) -> TracedQueue {
    let (data, rules) = (queue.data(), queue.rules());
    TracedQueue {
        id: data.id,
        name: data.name.clone(),
        team_size: rules.team_size,
        rating_peak: rules.rating_peak,
        timing: None,
    }
}

/// Returns all players of the matches of a round.
fn players(popped: &Popped) -> BTreeSet<PlayerId> {
    let matched = popped.round.matches.iter().flat_map(|found| found.teams.iter().flatten());
    let members = matched.flat_map(|candidate| popped.searches[*candidate].candidate.members());
    members.map(|member| member.player).collect()
}
