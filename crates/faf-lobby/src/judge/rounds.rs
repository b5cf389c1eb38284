//! The rounds of queues in the recording: when they were, and which matches they made.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use faf_lobby_core::RecordedMatch;
use faf_protocol::{Faction, GameId, PlayerId};
use serde_json::Value;

use super::ahead::{Ahead, Answer};

/// Time within which all players of a round are sent that their match was found.
const SENT_WITHIN: Duration = Duration::from_secs(2);

/// Time around a round that made matches in which a report of its queue is about that round.
const REPORTED_WITHIN: Duration = Duration::from_secs(3);

/// The rounds of all queues so far.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    queues: HashMap<String, Seen>,
}

/// What was seen of a queue.
#[derive(Debug, Default)]
struct Seen {
    /// The time of the next round, as it was sent last.
    pops_at: Option<String>,
    /// Times of the next round that were sent before that: late reports repeat them.
    before: Option<String>,
    last_round: Option<Duration>,
}

/// A player in a match of a round.
struct Found {
    conn: u64,
    player: PlayerId,
    launch: Option<(u64, Arc<Value>)>,
}

impl Rounds {
    /// Notes the time of a queue's next round in a report. Returns whether it shows a round that
    /// has not been played yet.
    pub(super) fn reported(&mut self, queue: &str, pops_at: &str, now: Duration) -> bool {
        let seen = self.queues.entry(queue.to_owned()).or_default();
        let is_known = [&seen.pops_at, &seen.before].iter().any(|known| known.as_deref() == Some(pops_at));
        if is_known {
            return false;
        }
        seen.before = seen.pops_at.replace(pops_at.to_owned());
        if seen.before.is_none() || seen.last_round.is_some_and(|last| now <= last + REPORTED_WITHIN) {
            return false;
        }
        seen.last_round = Some(now);
        true
    }

    /// Notes a round that made matches.
    pub(super) fn played(&mut self, queue: &str, now: Duration) {
        self.queues.entry(queue.to_owned()).or_default().last_round = Some(now);
    }
}

/// Returns the matches of the round of a queue at this time, in which `player` gives the player of a
/// connection.
pub(super) fn matches(
    ahead: &mut Ahead,
    queue: &str,
    team_size: u32,
    now: Duration,
    player: &dyn Fn(u64) -> Option<PlayerId>,
    invented: &mut dyn FnMut() -> GameId,
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
        let Some(player) = player(conn) else { continue };
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
        let found = Found { conn, player, launch };
        match game {
            Some(game) => groups.entry(game).or_default().push(found),
            None => alone.push(found),
        }
    }
    let full = 2 * team_size as usize;
    for group in groups.values_mut() {
        while group.len() < full && !alone.is_empty() {
            group.push(alone.remove(0));
        }
    }
    while alone.len() >= full {
        groups.insert(invented(), alone.drain(..full).collect());
    }
    let complete = groups.into_iter().filter(|(_, group)| group.len() == full);
    complete.map(|(game, group)| recorded(game, group)).collect()
}

fn recorded(game: GameId, mut group: Vec<Found>) -> RecordedMatch {
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
    for player in unknown {
        let team = usize::from(teams[0].len() >= half);
        teams[team].push(player);
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
