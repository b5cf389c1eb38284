//! [`Queues`]: the queues of the matchmaker, and the searches in them (matchmaking.md section 1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use faf_protocol::PlayerId;
use faf_protocol::server_message::MatchmakerInfo;
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::io::SearchId;
use crate::matchmaking::candidate::Boundaries;
use crate::matchmaking::queue::{QueueData, QueueId};
use crate::matchmaking::vetoes::VetoRules;
use crate::matchmaking::{Candidate, PopTimer, QueueRules, UnmatchedReason, WaitingTimes};

/// Longest age of a list of queues that a client is sent. So much may the time until the next round
/// differ from the true one.
const LISTED_FOR: Duration = Duration::from_millis(250);

/// All queues, and all searches.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Queues {
    queues: BTreeMap<QueueId, Queue>,
    /// The searches of each player who searches, at most one in each queue.
    searching: BTreeMap<PlayerId, BTreeMap<QueueId, SearchId>>,
    /// The last number that a search was given.
    last: u64,
    /// Queues whose change has not been reported.
    changed: BTreeSet<QueueId>,
    /// Time as of which the queues were listed for a client that asked, until they change.
    #[serde(default)]
    listed_at: Option<Moment>,
    /// That list, if it was made since this state was read.
    #[serde(skip)]
    listing: Option<Arc<MatchmakerInfo>>,
    /// Whether searches have changed since `take_unsaved`.
    is_unsaved: bool,
    /// The selections of vetoes that the brackets of the queues allow.
    veto_rules: VetoRules,
}

/// A queue with its searches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Queue {
    pub(crate) data: QueueData,
    /// In the order in which they began.
    searches: BTreeMap<SearchId, Search>,
    /// Number of players in all searches.
    players: u32,
    pub(crate) timer: PopTimer,
    /// Time of the next round.
    pub(crate) next_pop: Duration,
    /// The wait that was planned for that round.
    pub(crate) planned: Duration,
    pub(crate) waiting_times: WaitingTimes,
    /// How long a search takes, as of the last round.
    pub(crate) estimated_wait: Option<Duration>,
    /// Whether the minimum between two rounds has put off the next one.
    #[serde(default)]
    pub(crate) is_held_back: bool,
    /// The boundaries of all searches, for all clients that ask before the searches change.
    #[serde(skip)]
    listed: OnceLock<ListedBoundaries>,
}

/// The boundaries of all searches, in the order in which they began.
#[derive(Debug, Clone)]
pub(crate) struct ListedBoundaries {
    pub(crate) boundary_80s: Arc<[[i32; 2]]>,
    pub(crate) boundary_75s: Arc<[[i32; 2]]>,
}

/// A search of a party or of a player who is alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Search {
    /// In the order of the party.
    pub(crate) players: Vec<PlayerId>,
    /// Number of rounds in which it found no match.
    pub(crate) failed_attempts: u32,
    /// See [`self_quality`](crate::matchmaking::candidate::self_quality).
    pub(crate) self_quality: f64,
    /// From the ratings at its beginning, or in its last round.
    pub(crate) boundaries: Boundaries,
    pub(crate) began_at: Duration,
    /// How long it had gone on before the last restart of the server.
    pub(crate) waited_before: Duration,
    /// Why it found no match in the last round; `None` before its first round.
    pub(crate) reason: Option<UnmatchedReason>,
    /// Time at which its players were last sent the reason.
    pub(crate) explained_at: Option<Duration>,
}

impl Search {
    /// Begins the search of a candidate.
    pub(crate) fn of(candidate: &Candidate, now: Duration) -> Self {
        Self {
            players: candidate.members().iter().map(|member| member.player).collect(),
            failed_attempts: candidate.failed_attempts(),
            self_quality: candidate.self_quality(),
            boundaries: candidate.boundaries(),
            began_at: now,
            waited_before: Duration::ZERO,
            reason: None,
            explained_at: None,
        }
    }

    /// Returns how long the search has gone on.
    pub(crate) fn waited(&self, now: Duration) -> Duration {
        self.waited_before + now.saturating_sub(self.began_at)
    }
}

impl Queue {
    /// The queue as stored.
    #[must_use]
    pub fn data(&self) -> &QueueData {
        &self.data
    }

    /// The part of the queue that its rounds depend on.
    #[must_use]
    pub fn rules(&self) -> QueueRules {
        QueueRules { team_size: self.data.team_size, rating_peak: self.data.rating_peak }
    }

    /// The last rounds, as they decide on the wait for the one after the next.
    #[must_use]
    pub fn timer(&self) -> &PopTimer {
        &self.timer
    }

    /// Time since the start of the server at which the next round is due.
    #[must_use]
    pub fn next_pop(&self) -> Duration {
        self.next_pop
    }

    /// The wait that was planned for the next round.
    #[must_use]
    pub fn planned(&self) -> Duration {
        self.planned
    }

    /// Returns why searches have found no match, for each that was in a round.
    pub fn reasons(&self) -> impl Iterator<Item = UnmatchedReason> {
        self.searches.values().filter_map(|search| search.reason)
    }

    pub(crate) fn searches(&self) -> impl Iterator<Item = (SearchId, &Search)> {
        self.searches.iter().map(|(id, search)| (*id, search))
    }

    pub(crate) fn searches_mut(&mut self) -> impl Iterator<Item = &mut Search> {
        self.listed.take();
        self.searches.values_mut()
    }

    pub(crate) fn search_mut(&mut self, search: SearchId) -> Option<&mut Search> {
        self.listed.take();
        self.searches.get_mut(&search)
    }

    /// Returns the boundaries of all searches, which are listed once for each change of a search.
    pub(crate) fn boundaries(&self) -> ListedBoundaries {
        let searches = || self.searches.values().map(|search| search.boundaries);
        let list = || ListedBoundaries {
            boundary_80s: searches().map(Boundaries::boundary_80).collect(),
            boundary_75s: searches().map(Boundaries::boundary_75).collect(),
        };
        self.listed.get_or_init(list).clone()
    }

    /// Number of players who search in the queue.
    pub(crate) fn players(&self) -> u32 {
        self.players
    }
}

impl Queues {
    /// Returns the list of all queues for a client that asks, as of now or of a moment at most
    /// [`LISTED_FOR`] ago. Until the queues change, clients that ask are sent the same list, so that
    /// it is encoded once: after a restart all clients ask.
    pub(crate) fn listing(
        &mut self,
        now: Moment,
        list: impl FnOnce(&Self, Moment) -> Arc<MatchmakerInfo>,
    ) -> Arc<MatchmakerInfo> {
        let is_recent = |at: &Moment| at.elapsed.saturating_add(LISTED_FOR) > now.elapsed;
        let at = match self.listed_at.filter(is_recent) {
            Some(at) => at,
            None => {
                self.listing = None;
                now
            }
        };
        self.listed_at = Some(at);
        let listing = self.listing.take().unwrap_or_else(|| list(self, at));
        self.listing = Some(Arc::clone(&listing));
        listing
    }

    /// Forgets the list for clients that ask.
    fn forget_listing(&mut self) {
        (self.listed_at, self.listing) = (None, None);
    }

    pub(crate) fn get(&self, queue: QueueId) -> Option<&Queue> {
        self.queues.get(&queue)
    }

    pub(crate) fn get_mut(&mut self, queue: QueueId) -> Option<&mut Queue> {
        self.forget_listing();
        self.queues.get_mut(&queue)
    }

    /// Returns the queue with a technical name.
    pub(crate) fn named(&self, name: &str) -> Option<&Queue> {
        self.iter().find(|queue| queue.data.name == name)
    }

    /// Returns all queues, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Queue> {
        self.queues.values()
    }

    /// Adds a queue without searches, whose first round comes after `wait`.
    pub(crate) fn add(&mut self, data: QueueData, now: Duration, wait: Duration) {
        let id = data.id;
        let queue = Queue {
            data,
            searches: BTreeMap::new(),
            players: 0,
            timer: PopTimer::default(),
            next_pop: now + wait,
            planned: wait,
            waiting_times: WaitingTimes::default(),
            estimated_wait: None,
            is_held_back: false,
            listed: OnceLock::new(),
        };
        self.queues.insert(id, queue);
        self.forget_listing();
        self.changed.insert(id);
    }

    /// Removes a queue, from which all searches must have been removed before.
    pub(crate) fn remove(&mut self, queue: QueueId) {
        self.queues.remove(&queue);
        self.forget_listing();
        self.changed.remove(&queue);
    }

    /// Adds a search of players who do not search in this queue yet. Returns `None` if there is no
    /// such queue.
    pub(crate) fn enter(&mut self, queue: QueueId, search: Search) -> Option<SearchId> {
        self.last += 1;
        self.enter_as(queue, SearchId(self.last), search)
    }

    /// Reserves the number of a search that may come back.
    pub(crate) fn reserve(&mut self, search: SearchId) {
        self.last = self.last.max(search.0);
    }

    /// Adds a search with a number that no other one has.
    pub(crate) fn enter_as(&mut self, queue: QueueId, id: SearchId, search: Search) -> Option<SearchId> {
        let entered = self.queues.get_mut(&queue)?;
        for player in &search.players {
            self.searching.entry(*player).or_default().insert(queue, id);
        }
        entered.players += search.players.len() as u32;
        entered.searches.insert(id, search);
        entered.listed.take();
        self.forget_listing();
        self.changed.insert(queue);
        self.is_unsaved = true;
        Some(id)
    }

    /// Removes a search, and returns it.
    pub(crate) fn leave(&mut self, queue: QueueId, search: SearchId) -> Option<Search> {
        let left = self.queues.get_mut(&queue)?;
        let search = left.searches.remove(&search)?;
        left.listed.take();
        left.players -= search.players.len() as u32;
        for player in &search.players {
            if let Some(searches) = self.searching.get_mut(player) {
                searches.remove(&queue);
                if searches.is_empty() {
                    self.searching.remove(player);
                }
            }
        }
        self.forget_listing();
        self.changed.insert(queue);
        self.is_unsaved = true;
        Some(search)
    }

    /// Returns the search of a player in a queue.
    pub(crate) fn search_in(&self, queue: QueueId, player: PlayerId) -> Option<SearchId> {
        self.searching.get(&player)?.get(&queue).copied()
    }

    /// Returns all searches of a player.
    pub(crate) fn searches_of(&self, player: PlayerId) -> Vec<(QueueId, SearchId)> {
        let searches = self.searching.get(&player).into_iter().flatten();
        searches.map(|(queue, search)| (*queue, *search)).collect()
    }

    /// Returns whether a player searches in any queue.
    pub(crate) fn is_searching(&self, player: PlayerId) -> bool {
        self.searching.contains_key(&player)
    }

    pub(crate) fn veto_rules(&self) -> &VetoRules {
        &self.veto_rules
    }

    /// Replaces the rules of vetoes. Returns whether they are others than before.
    pub(crate) fn set_veto_rules(&mut self, rules: VetoRules) -> bool {
        let is_change = rules != self.veto_rules;
        self.veto_rules = rules;
        is_change
    }

    /// Marks a queue for the next report.
    pub(crate) fn mark(&mut self, queue: QueueId) {
        self.changed.insert(queue);
    }

    /// Marks the searches, or what belongs to them, for saving.
    pub(crate) fn mark_unsaved(&mut self) {
        self.is_unsaved = true;
    }

    /// Returns whether there was a change since the last call.
    pub(crate) fn take_unsaved(&mut self) -> bool {
        std::mem::take(&mut self.is_unsaved)
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes the queues that have changed since the last call.
    pub(crate) fn take_changes(&mut self) -> BTreeSet<QueueId> {
        std::mem::take(&mut self.changed)
    }
}
