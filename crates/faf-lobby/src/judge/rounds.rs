//! The rounds of queues in the recording: when they were, and which matches they made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_core::RecordedMatch;
use faf_protocol::{Faction, GameId, PlayerId};
use serde_json::Value;

use super::ahead::{Ahead, Answer};

/// Time within which all players of a round are sent that their match was found.
const SENT_WITHIN: Duration = Duration::from_secs(2);

/// Time around a round within which nothing else shows another one.
const SAME_ROUND: Duration = Duration::from_secs(2);

/// The rounds of all queues: those that the recording shows ahead, and the last one of each.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    queues: HashMap<String, Seen>,
    /// Rounds that are still to come.
    due: BTreeSet<(Duration, String)>,
}

/// The announcements of a queue.
#[derive(Debug, Default)]
struct Seen {
    /// The time of the next round, as it was sent last, and the earliest time of the recording at
    /// which it can be.
    pop: Option<(String, Duration)>,
    /// The one before: late reports repeat it.
    before: Option<String>,
    last_round: Option<Duration>,
}

/// A player in a match of a round.
struct Found {
    conn: u64,
    player: PlayerId,
    login: String,
    launch: Option<(u64, Arc<Value>)>,
}

impl Rounds {
    /// Notes the time of a queue's next round in a report that was recorded at `at`. If the time
    /// has changed, the round that was announced before has been played.
    pub(super) fn announce(&mut self, queue: &str, (pops_at, wait): &(String, Duration), at: Duration) {
        let seen = match self.queues.get_mut(queue) {
            Some(seen) => seen,
            None => self.queues.entry(queue.to_owned()).or_default(),
        };
        if seen.before.as_ref() == Some(pops_at) {
            return;
        }
        // Reports arrive late, and the one that was least late tells the time best.
        let pop = at + *wait;
        match &mut seen.pop {
            Some((known, earliest)) if known == pops_at => *earliest = pop.min(*earliest),
            last => {
                let Some((known, earliest)) = last.replace((pops_at.clone(), pop)) else { return };
                seen.before = Some(known);
                // Otherwise the time was only changed.
                if earliest <= at + SAME_ROUND {
                    self.due.insert((earliest, queue.to_owned()));
                }
            }
        }
    }

    /// Takes the next round until a time.
    pub(super) fn take_due(&mut self, until: Duration) -> Option<(Duration, String)> {
        let first = self.due.first().filter(|(due, _)| *due <= until).cloned()?;
        self.due.remove(&first);
        Some(first)
    }

    /// Begins a round; returns whether it is another one than the last.
    pub(super) fn begin(&mut self, queue: &str, now: Duration) -> bool {
        let seen = self.queues.entry(queue.to_owned()).or_default();
        if seen.last_round.is_some_and(|last| now <= last + SAME_ROUND) {
            return false;
        }
        seen.last_round = Some(now);
        true
    }
}

/// Returns the matches of the round of a queue at this time, in which `player` gives the player of
/// a connection.
pub(super) fn matches(
    ahead: &mut Ahead,
    queue: &str,
    team_size: u32,
    now: Duration,
    player: &dyn Fn(u64) -> Option<(PlayerId, String)>,
    invented: &mut dyn FnMut() -> GameId,
    own: &[[Vec<PlayerId>; 2]],
) -> Vec<RecordedMatch> {
    let (mut groups, mut alone) = (BTreeMap::<GameId, Vec<Found>>::new(), Vec::new());
    let mut conns: Vec<u64> = ahead.conns().map(|(conn, _)| conn).collect();
    conns.sort_unstable();
    for conn in conns {
        let mut answers = ahead.of(conn).peekable();
        let mine = |answer: &Answer| matches!(answer, Answer::Found { queue: of } if of == queue);
        let Some(found) =
            answers.find(|known| !known.is_given && mine(&known.answer) && known.at <= now + SENT_WITHIN)
        else {
            continue;
        };
        found.is_given = true;
        let Some((player, login)) = player(conn) else { continue };
        let mut launch = None;
        let mut game = None;
        for known in answers {
            match &known.answer {
                Answer::Launched(message) => {
                    let id = message["uid"].as_u64().and_then(|id| u32::try_from(id).ok());
                    game = id.map(GameId);
                    launch = Some((known.number, Arc::clone(message)));
                    known.is_given = true;
                    break;
                }
                Answer::Cancelled(id) => {
                    game = Some(*id);
                    break;
                }
                Answer::Found { .. } | Answer::Ended => break,
                _ => {}
            }
        }
        let found = Found { conn, player, login, launch };
        match game {
            Some(game) => groups.entry(game).or_default().push(found),
            None => alone.push(found),
        }
    }
    let full = 2 * team_size as usize;
    // Of some the game is not known. They are most likely in the match that this lobby makes.
    for match_here in own {
        let is_in = |found: &Found| match_here.iter().any(|team| team.contains(&found.player));
        let (here, others): (Vec<Found>, Vec<Found>) = alone.into_iter().partition(is_in);
        alone = others;
        match groups.values_mut().find(|group| group.iter().all(is_in) && group.len() + here.len() == full) {
            Some(group) => group.extend(here),
            None if here.len() == full => drop(groups.insert(invented(), here)),
            None => alone.extend(here),
        }
    }
    for group in groups.values_mut() {
        while group.len() < full && !alone.is_empty() {
            group.push(alone.remove(0));
        }
    }
    while alone.len() >= full {
        groups.insert(invented(), alone.drain(..full).collect());
    }
    let complete = groups.into_iter().filter(|(_, group)| group.len() == full);
    complete.map(|(game, group)| recorded(game, group, own)).collect()
}

fn recorded(game: GameId, mut group: Vec<Found>, own: &[[Vec<PlayerId>; 2]]) -> RecordedMatch {
    // The host is launched first, and its team is the first one.
    group.sort_by_key(|found| {
        found.launch.as_ref().map_or((u64::MAX, found.conn), |(number, _)| (*number, 0))
    });
    let number =
        |found: &Found, member: &str| found.launch.as_ref().and_then(|(_, launch)| launch[member].as_u64());
    let half = group.len() / 2;
    let first_team = group.first().and_then(|host| number(host, "team"));
    let (mut teams, mut unknown) = ([Vec::new(), Vec::new()], Vec::new());
    for found in &group {
        match number(found, "team") {
            Some(team) => teams[usize::from(Some(team) != first_team)].push(found.player),
            None => unknown.push(found.player),
        }
    }
    // A player whose team is not known plays with those with whom this lobby makes a team, too.
    for player in unknown {
        let mates = own.iter().flatten().find(|team| team.contains(&player));
        let mate_team = |mates: &Vec<PlayerId>| {
            teams.iter().position(|team| team.len() < half && team.iter().any(|one| mates.contains(one)))
        };
        if let Some(team) = mates.and_then(mate_team) {
            teams[team].push(player);
            continue;
        }
        let team = usize::from(teams[0].len() >= half);
        teams[team].push(player);
    }
    // The first players of the teams give the game its name.
    let names = || group.iter().find_map(|found| found.launch.as_ref()?.1["name"].as_str());
    if let Some((_, other)) = names().and_then(|name| name.split_once(" Vs ")) {
        let other = other.strip_prefix("Team ").unwrap_or(other);
        let named = group.iter().find(|found| found.login == other);
        let place = named.and_then(|found| teams[1].iter().position(|player| *player == found.player));
        if let Some(place) = place {
            teams[1][..=place].rotate_right(1);
        }
    }
    let launches = || group.iter().filter_map(|found| Some((found.player, &found.launch.as_ref()?.1)));
    let faction = |(player, launch): (PlayerId, &Arc<Value>)| {
        Some((player, serde_json::from_value::<Faction>(launch["faction"].clone()).ok()?))
    };
    let place = |(player, launch): (PlayerId, &Arc<Value>)| {
        Some((player, u32::try_from(launch["map_position"].as_u64()?).ok()?))
    };
    RecordedMatch {
        game,
        teams,
        map: launches().find_map(|(_, launch)| launch["mapname"].as_str().map(str::to_owned)),
        factions: launches().filter_map(faction).collect(),
        places: launches().filter_map(place).collect(),
    }
}
