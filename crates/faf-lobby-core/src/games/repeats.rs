//! Games in which every two opponents have had too many rated games against each other of late: they are played, and not rated.
//!
//! Whoever lets a friend win, or a second account of his own, can do so hundreds of times a day. A game is looked at when it
//! ends, as one that is not rated for another reason does not count. Validity has no word for it, and the numbers are those
//! of the database, which other services read; `OTHER_UNRANK` is the one that stands for reasons without a number.

use std::collections::BTreeSet;
use std::time::Duration;

use faf_protocol::PlayerId;

use crate::limits::Limits;
use crate::results::Resolution;
use crate::validity::{Check, EndChecks, Results, Validity};

/// Adds the rule to those that were looked at at the end of a game. Returns whose opponent it was once too often.
pub(super) fn check(
    checks: &mut EndChecks,
    resolution: &Resolution,
    limits: &mut Limits,
    most: u32,
    now: Duration,
) -> BTreeSet<PlayerId> {
    if checks.results != Results::Rated {
        return BTreeSet::new();
    }
    let too_many = limits.rate(&opponents(resolution), most, now);
    let is_hit = !too_many.is_empty();
    let players: BTreeSet<PlayerId> = too_many.into_iter().flat_map(|(one, other)| [one, other]).collect();
    let of_whom = players.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let detail = match is_hit {
        true => format!("players {of_whom} have had {most} rated games against each other within an hour"),
        false => format!("not all opponents have had {most} rated games against each other within an hour"),
    };
    if is_hit {
        (checks.validity, checks.results) = (Validity::OtherUnrank, Results::Published);
    }
    checks.checks.push(Check { validity: Validity::OtherUnrank, is_hit, detail });
    players
}

/// Everybody of one team with everybody of another.
fn opponents(resolution: &Resolution) -> Vec<(PlayerId, PlayerId)> {
    let teams = &resolution.teams;
    let pairs = teams.iter().enumerate().flat_map(|(place, team)| {
        let others = teams[place + 1..].iter().flat_map(|other| &other.players);
        others.flat_map(|other| team.players.iter().map(|player| (*player, *other)))
    });
    pairs.collect()
}
