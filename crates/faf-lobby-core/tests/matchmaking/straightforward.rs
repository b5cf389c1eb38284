//! The rules of matching once more, as the specification writes them: each number is computed
//! where it is needed, each list is searched from its beginning. Tests compare the results with
//! the lobby's, the benchmark compares the times.

use faf_lobby_core::matchmaking::{MatchmakingSettings, Member, QueueRules};
use faf_protocol::server_message::Rating;

/// A search: the players, the number of failed attempts, and the quality against itself.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    pub(crate) members: Vec<Member>,
    pub(crate) failed_attempts: u32,
    pub(crate) self_quality: f64,
}

/// Teams of searches by position, with the quality of each match, and the searches that are left.
#[derive(Debug, PartialEq)]
pub(crate) struct Round {
    pub(crate) matches: Vec<([Vec<usize>; 2], f64)>,
    pub(crate) unmatched: Vec<usize>,
}

/// matchmaking.md section 3.1.
pub(crate) fn quality(a: &[Rating], b: &[Rating]) -> f64 {
    let sum = |team: &[Rating]| team.iter().map(|rating| rating.mean).sum::<f64>();
    let variance =
        |team: &[Rating]| team.iter().map(|rating| rating.deviation * rating.deviation).sum::<f64>();
    let randomness = (a.len() + b.len()) as f64 * 240.0 * 240.0;
    let total = randomness + (variance(a) + variance(b));
    let difference = sum(a) - sum(b);
    (randomness / total).sqrt() * libm::exp(-(difference * difference) / (2.0 * total))
}

impl Search {
    pub(crate) fn new(members: Vec<Member>, failed_attempts: u32, settings: &MatchmakingSettings) -> Self {
        let mut search = Self { members, failed_attempts, self_quality: 0.0 };
        let ratings = search.quality_ratings(settings);
        search.self_quality = quality(&ratings, &ratings);
        search
    }

    fn size(&self) -> u32 {
        self.members.len() as u32
    }

    fn newbies(&self, settings: &MatchmakingSettings) -> u32 {
        self.members.iter().filter(|member| member.games <= settings.newbie_min_games).count() as u32
    }

    fn quality_ratings(&self, settings: &MatchmakingSettings) -> Vec<Rating> {
        let rating = |member: &Member| {
            let (games, needed) = (f64::from(member.games), f64::from(settings.newbie_min_games));
            if games >= needed {
                return member.rating;
            }
            let mean = ((needed - games) * settings.newbie_base_mean + games * member.rating.mean) / needed;
            Rating { mean, ..member.rating }
        };
        self.members.iter().map(rating).collect()
    }

    fn displayed_ratings(&self) -> Vec<f64> {
        self.members.iter().map(|member| member.rating.displayed()).collect()
    }

    fn cumulative(&self) -> f64 {
        self.displayed_ratings().iter().sum()
    }

    fn average(&self) -> f64 {
        self.cumulative() / f64::from(self.size())
    }

    fn shows(&self, least: f64) -> bool {
        self.displayed_ratings().into_iter().any(|rating| rating >= least)
    }

    fn threshold(&self, settings: &MatchmakingSettings) -> f64 {
        let (step, maximum) = if self.shows(settings.top_player_min_rating) {
            (
                settings.ladder_top_player_search_expansion_step,
                settings.ladder_top_player_search_expansion_max,
            )
        } else if self.newbies(settings) > 0 {
            (settings.ladder_newbie_search_expansion_step, settings.ladder_newbie_search_expansion_max)
        } else {
            (settings.ladder_search_expansion_step, settings.ladder_search_expansion_max)
        };
        let expansion = (f64::from(self.failed_attempts) * step).min(maximum);
        (0.8 * self.self_quality - expansion).max(0.0)
    }

    fn graph_mean(&self, settings: &MatchmakingSettings) -> f64 {
        let ratings = self.quality_ratings(settings);
        let mean = |rating: &Rating| if rating.deviation >= 250.0 { 0.0 } else { rating.mean };
        ratings.iter().map(mean).sum::<f64>() / f64::from(self.size())
    }
}

pub(crate) fn play_round(searches: &[Search], queue: QueueRules, settings: &MatchmakingSettings) -> Round {
    if queue.team_size == 1 { pairs(searches, settings) } else { games(searches, queue, settings) }
}

/// matchmaking.md section 5.
fn pairs(searches: &[Search], settings: &MatchmakingSettings) -> Round {
    let count = searches.len();
    let mut compared = Vec::new();
    if count < 30 {
        for first in 0..count {
            compared.extend((first + 1..count).map(|second| (first, second)));
        }
    } else {
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|&one, &other| {
            searches[one].graph_mean(settings).total_cmp(&searches[other].graph_mean(settings))
        });
        let reach = ((count.max(16) as f64).log2().floor() / 2.0).floor() as usize;
        for (position, &first) in order.iter().enumerate() {
            compared.extend(order.iter().skip(position + 1).take(reach).map(|&second| (first, second)));
        }
    }
    let mut lists: Vec<Vec<(usize, f64)>> = vec![Vec::new(); count];
    for (first, second) in compared {
        let (one, other) = (&searches[first], &searches[second]);
        let quality = quality(&one.quality_ratings(settings), &other.quality_ratings(settings));
        if quality >= one.threshold(settings) && quality >= other.threshold(settings) {
            lists[first].push((second, quality));
            lists[second].push((first, quality));
        }
    }
    for list in &mut lists {
        list.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    }
    let mut pairs: Vec<(usize, usize, f64)> = Vec::new();
    let pair_of = |pairs: &[(usize, usize, f64)], search| {
        pairs.iter().position(|&(proposer, accepter, _)| proposer == search || accepter == search)
    };
    for _ in 0..lists.iter().map(Vec::len).max().unwrap_or(0) {
        for (search, list) in lists.iter_mut().enumerate() {
            if pair_of(&pairs, search).is_some() {
                continue;
            }
            let Some((opponent, quality)) = list.pop() else { continue };
            if let Some(rivals) = pair_of(&pairs, opponent) {
                if pairs[rivals].2 >= quality {
                    continue;
                }
                pairs.remove(rivals);
            }
            pairs.push((search, opponent, quality));
        }
    }
    pairs.sort_by_key(|&(proposer, _, _)| proposer);
    Round {
        unmatched: (0..count).filter(|&search| pair_of(&pairs, search).is_none()).collect(),
        matches: pairs
            .into_iter()
            .map(|(proposer, accepter, quality)| ([vec![proposer], vec![accepter]], quality))
            .collect(),
    }
}

/// matchmaking.md section 6.1 and 6.5.
fn games(searches: &[Search], queue: QueueRules, settings: &MatchmakingSettings) -> Round {
    let mut order: Vec<usize> = (0..searches.len()).collect();
    order.sort_by(|&one, &other| searches[one].average().total_cmp(&searches[other].average()));
    let sizes: Vec<u32> = order.iter().map(|&search| searches[search].size()).collect();
    let mut games: Vec<([Vec<usize>; 2], f64)> = Vec::new();
    for index in 0..order.len() {
        let Some(picked) = participants(&sizes, index, queue.team_size) else { continue };
        let picked: Vec<usize> = picked.into_iter().map(|position| order[position]).collect();
        let Some(teams) = split(searches, &picked, queue.team_size) else { continue };
        let quality = game_quality(searches, &teams, queue, settings);
        if quality >= settings.minimum_game_quality {
            games.push((teams, quality));
        }
    }
    // Among equals the one found later is first, and sorting is stable.
    games.reverse();
    games.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let mut matches: Vec<([Vec<usize>; 2], f64)> = Vec::new();
    let is_used = |matches: &[([Vec<usize>; 2], f64)], search: &usize| {
        matches.iter().any(|(teams, _)| teams.iter().flatten().any(|used| used == search))
    };
    for game in games {
        if !game.0.iter().flatten().any(|search| is_used(&matches, search)) {
            matches.push(game);
        }
    }
    let unmatched = order.into_iter().filter(|search| !is_used(&matches, search)).collect();
    Round { matches, unmatched }
}

/// matchmaking.md section 6.2.
pub(crate) fn participants(sizes: &[u32], index: usize, team_size: u32) -> Option<Vec<usize>> {
    let mut participants = vec![index];
    let mut count = sizes[index];
    let (mut lower, mut higher) = ((0..index).rev(), index + 1..sizes.len());
    let (mut is_lower, mut found_none) = (true, false);
    while count != 2 * team_size {
        let next = if is_lower { lower.next() } else { higher.next() };
        is_lower = !is_lower;
        match next {
            None if found_none => return None,
            None => found_none = true,
            Some(next) => {
                found_none = false;
                if count + sizes[next] <= 2 * team_size {
                    count += sizes[next];
                    participants.push(next);
                }
            }
        }
    }
    Some(participants)
}

/// matchmaking.md section 6.3.
pub(crate) fn split(searches: &[Search], participants: &[usize], team_size: u32) -> Option<[Vec<usize>; 2]> {
    let of_size =
        |size: u32| participants.iter().copied().filter(move |&search| searches[search].size() == size);
    if participants.len() < 2 {
        return None;
    }
    let a = if let Some(party) = of_size(team_size).next_back() {
        vec![party]
    } else if let Some(party) = of_size(team_size - 1).next_back() {
        let players: u32 = participants.iter().map(|&search| searches[search].size()).sum();
        let average = cumulative(searches, participants) / f64::from(players);
        let distance = |single: usize| {
            let together = cumulative(searches, &[party, single]);
            (average - together / f64::from(team_size)).abs()
        };
        let singles = of_size(1).filter(|&single| single != party);
        vec![party, singles.min_by(|&one, &other| distance(one).total_cmp(&distance(other)))?]
    } else {
        return full(searches, difference(searches, participants), team_size);
    };
    let b = participants.iter().copied().filter(|search| !a.contains(search)).collect();
    full(searches, [a, b], team_size)
}

fn full(searches: &[Search], teams: [Vec<usize>; 2], team_size: u32) -> Option<[Vec<usize>; 2]> {
    let players = |team: &Vec<usize>| team.iter().map(|&search| searches[search].size()).sum::<u32>();
    teams.iter().all(|team| players(team) == team_size).then_some(teams)
}

/// A node of the differencing method.
#[derive(Clone)]
enum Node {
    Search(usize),
    Pair(Box<(Node, Node)>),
}

fn difference(searches: &[Search], participants: &[usize]) -> [Vec<usize>; 2] {
    let leaf = |&search: &usize| {
        let of = &searches[search];
        (5000.0 * f64::from(of.size()) + of.cumulative(), Node::Search(search))
    };
    let mut nodes: Vec<(f64, Node)> = participants.iter().map(leaf).collect();
    // Sorting is stable, so that the difference of two nodes comes after those of equal value.
    nodes.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    while nodes.len() > 1 {
        let (larger, x) = nodes.pop().unwrap();
        let (smaller, y) = nodes.pop().unwrap();
        nodes.push((larger - smaller, Node::Pair(Box::new((x, y)))));
        nodes.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    }
    let Some((_, Node::Pair(root))) = nodes.pop() else { panic!("there are at least two") };
    let mut stacks = [vec![root.0], vec![root.1]];
    let mut teams = [Vec::new(), Vec::new()];
    while stacks.iter().any(|stack| !stack.is_empty()) {
        for side in 0..2 {
            match stacks[side].pop() {
                Some(Node::Search(search)) => teams[side].push(search),
                Some(Node::Pair(pair)) => {
                    stacks[side].push(pair.0);
                    stacks[1 - side].push(pair.1);
                }
                None => {}
            }
        }
    }
    teams
}

/// matchmaking.md section 6.4.
fn game_quality(
    searches: &[Search],
    teams: &[Vec<usize>; 2],
    queue: QueueRules,
    settings: &MatchmakingSettings,
) -> f64 {
    let parties: Vec<&Search> = teams.iter().flatten().map(|&search| &searches[search]).collect();
    let size = f64::from(queue.team_size);
    let sum = |part: &dyn Fn(&Search) -> f64| parties.iter().map(|party| part(party)).sum::<f64>();
    let share = |party: &Search| f64::from(party.size()) / size;
    let bonus =
        |party: &Search, step: f64, maximum: f64| (step * f64::from(party.failed_attempts)).min(maximum);

    let [a, b] = teams.each_ref().map(|team| cumulative(searches, team));
    let u = (a - b).abs() / settings.maximum_rating_imbalance;
    let count = parties.len() as f64;
    let mean = precise_sum(parties.iter().map(|party| party.average()).collect()) / count;
    let squares = parties.iter().map(|party| (party.average() - mean) * (party.average() - mean));
    let v = (precise_sum(squares.collect()) / count).sqrt() / settings.maximum_rating_deviation;
    let time = sum(&|party| bonus(party, settings.time_bonus, settings.maximum_time_bonus) * share(party));
    let newbie = if parties.iter().any(|party| party.shows(settings.high_rated_player_min_rating)) {
        0.0
    } else {
        sum(&|party| {
            let newbies = f64::from(party.newbies(settings)) / size;
            bonus(party, settings.newbie_time_bonus, settings.maximum_newbie_time_bonus) * newbies
        })
    };
    let minority = sum(&|party| {
        let distance = (party.average() - queue.rating_peak) / settings.minority_bonus_rating_range;
        (distance * distance) * (distance * distance) * share(party)
    });
    let minority = (settings.minority_bonus * minority).min(settings.minority_bonus);
    1.0 - (u * u + v * v).sqrt() + time + minority + newbie
}

/// The sum of the displayed ratings of all players of some searches.
fn cumulative(searches: &[Search], of: &[usize]) -> f64 {
    of.iter().flat_map(|&search| searches[search].displayed_ratings()).sum()
}

/// The sum of numbers in any order, as if they were added up without rounding.
fn precise_sum(numbers: Vec<f64>) -> f64 {
    let (mut sum, mut error) = (0.0_f64, 0.0);
    for number in numbers {
        let (larger, smaller) = if sum.abs() >= number.abs() { (sum, number) } else { (number, sum) };
        sum = larger + smaller;
        error += (larger - sum) + smaller;
    }
    sum + error
}
