//! The limit on rated games in which every two opponents are the same as before.
//!
//! A player whose friend, or second account, loses on purpose could gain rating hundreds of times a
//! day. The rule checks a game when it ends, because a game that is unrated for another reason does
//! not count. The validity codes belong to the database and other services read them, so there is
//! no new one: `OTHER_UNRANK` is the code for reasons without one.

use std::collections::BTreeSet;
use std::time::Duration;

use faf_protocol::PlayerId;

use crate::results::Resolution;
use crate::state::Limits;
use crate::validity::{Check, EndChecks, Results, Validity};

/// Applies the rule to a game that has ended. Returns the players because of whom it is not rated.
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

/// Returns every pair of players from different teams.
fn opponents(resolution: &Resolution) -> Vec<(PlayerId, PlayerId)> {
    let teams = &resolution.teams;
    let pairs = teams.iter().enumerate().flat_map(|(place, team)| {
        let others = teams[place + 1..].iter().flat_map(|other| &other.players);
        others.flat_map(|other| team.players.iter().map(|player| (*player, *other)))
    });
    pairs.collect()
}
