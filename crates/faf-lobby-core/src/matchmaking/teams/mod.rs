//! Games of teams (matchmaking.md section 6). Only displayed ratings count here, neither
//! thresholds nor the TrueSkill quality (M18).
//!
//! ```text
//!   searches sorted by average rating
//!         |
//!         |  around each of them
//!         v
//!   participants   two teams' worth of players from both sides        participants.rs
//!         v
//!   split          into two teams of equal size                       split.rs
//!         v
//!   quality        how even the game is, and who has waited long      game_quality.rs
//!         |
//!         |  at most as many games as searches
//!         v
//!   pick           the best games that share nobody                   pick.rs
//! ```

mod game_quality;
mod participants;
mod parties;
mod pick;
mod split;

pub use game_quality::{GameQuality, game_quality};
pub use participants::participants;
pub use parties::Parties;
pub use pick::pick;
pub use split::split;

use participants::Neighbours;
use split::Splitter;

use super::round::{Match, MatchQuality, QueueRules, Round, Unmatched, UnmatchedReason};
use super::{Candidate, MatchmakingSettings};

/// Matches searches of parties that fit into a team. `taking_part` are their positions in the
/// order of the queue.
pub(super) fn play(
    candidates: &[Candidate],
    taking_part: &[usize],
    queue: QueueRules,
    settings: &MatchmakingSettings,
) -> Round {
    let order = by_average(candidates, taking_part);
    let parties = Parties::new(order.iter().map(|&candidate| &candidates[candidate]), queue, settings);
    let games = Games::around_each(&parties, queue.team_size, settings);
    let picked = pick(&games.qualities, |game| games.participants(game), parties.count(), settings);

    let mut is_matched = vec![false; parties.count()];
    let mut round = Round::default();
    for game in picked {
        let candidates = |team: &[usize]| team.iter().map(|&party| order[party]).collect();
        for &party in games.participants(game) {
            is_matched[party] = true;
        }
        round.matches.push(Match {
            teams: games.teams(game).map(candidates),
            quality: MatchQuality::Teams(games.qualities[game]),
        });
    }
    let alone = (0..parties.count()).filter(|&party| !is_matched[party]);
    round.unmatched = alone
        .map(|party| Unmatched { candidate: order[party], reason: games.reason(party, settings) })
        .collect();
    round
}

/// Returns the searches sorted by average rating; equal ones stay in the order of the queue.
fn by_average(candidates: &[Candidate], taking_part: &[usize]) -> Vec<usize> {
    let mut order: Vec<(f64, usize)> =
        taking_part.iter().map(|&candidate| (candidates[candidate].average_rating(), candidate)).collect();
    order.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    order.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The games that are possible, one around each party at most. Parties are numbered by
/// average rating.
#[derive(Default)]
struct Games {
    /// The quality of each game.
    qualities: Vec<GameQuality>,
    /// Where the two teams of each game stand in `members`.
    teams: Vec<Teams>,
    /// The teams of all games, one after the other.
    members: Vec<usize>,
    /// The best game and the failure of each party.
    found: Vec<Found>,
}

/// The first team are the members from `begin` to `middle`, the second those from there to `end`.
#[derive(Clone, Copy)]
struct Teams {
    begin: usize,
    middle: usize,
    end: usize,
}

/// The games of one party.
#[derive(Clone, Copy)]
struct Found {
    /// The best game with this party in it, whichever party it is around.
    best: Option<usize>,
    /// Why there is no game around this party.
    failure: Option<Failure>,
}

#[derive(Clone, Copy)]
enum Failure {
    NoFullGame,
    UnevenTeams,
}

impl Games {
    fn around_each(parties: &Parties, team_size: u32, settings: &MatchmakingSettings) -> Self {
        let neighbours = Neighbours::new(parties.sizes());
        let mut splitter = Splitter::default();
        let mut participants = Vec::new();
        let mut games = Self::default();
        games.found.resize(parties.count(), Found { best: None, failure: None });
        for party in 0..parties.count() {
            if !neighbours.around(party, team_size, &mut participants) {
                games.found[party].failure = Some(Failure::NoFullGame);
            } else if let Some([a, b]) = splitter.split(parties, &participants, team_size) {
                games.add(a, b, game_quality(parties, [a, b], settings));
            } else {
                games.found[party].failure = Some(Failure::UnevenTeams);
            }
        }
        games
    }

    fn add(&mut self, a: &[usize], b: &[usize], quality: GameQuality) {
        let game = self.qualities.len();
        let begin = self.members.len();
        self.members.extend_from_slice(a);
        self.members.extend_from_slice(b);
        self.teams.push(Teams { begin, middle: begin + a.len(), end: self.members.len() });
        self.qualities.push(quality);
        for &party in &self.members[begin..] {
            let best = &mut self.found[party].best;
            if best.is_none_or(|best| quality.quality > self.qualities[best].quality) {
                *best = Some(game);
            }
        }
    }

    fn participants(&self, game: usize) -> &[usize] {
        &self.members[self.teams[game].begin..self.teams[game].end]
    }

    fn teams(&self, game: usize) -> [&[usize]; 2] {
        let Teams { begin, middle, end } = self.teams[game];
        [&self.members[begin..middle], &self.members[middle..end]]
    }

    /// Returns why a party plays none of the games.
    fn reason(&self, party: usize, settings: &MatchmakingSettings) -> UnmatchedReason {
        let minimum = settings.minimum_game_quality;
        match self.found[party] {
            Found { best: Some(best), .. } => {
                let quality = self.qualities[best];
                if quality.quality >= minimum {
                    UnmatchedReason::OthersPlayBetterGames { quality }
                } else {
                    UnmatchedReason::GameTooPoor { quality, minimum }
                }
            }
            Found { failure: Some(Failure::UnevenTeams), .. } => UnmatchedReason::UnevenTeams,
            Found { .. } => UnmatchedReason::NoFullGame,
        }
    }
}
