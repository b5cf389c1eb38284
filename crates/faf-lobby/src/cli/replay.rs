//! `faf-lobby replay`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use faf_lobby_core::{Effect, Moment, World, escaped};
use faf_protocol::PlayerId;

use super::{print_line, whole};
use crate::exit_code::{self, Failure};
use crate::ops::recorder::replay::{Ending, Played, Replay, Verdict};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A file from the folder `recording`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Stop after this event and print who is online, the games, and pending requests
    #[arg(long, value_name = "NUMBER", value_parser = whole::<u64>(0..=u64::MAX))]
    until: Option<u64>,
    /// Print the effects of the last event, or of the first whose effects differ from the recording
    #[arg(long)]
    effects: bool,
}

pub(super) fn run(
    Arguments { file: path, until, effects: shows_effects }: &Arguments,
) -> Result<(), Failure> {
    let until = *until;
    let failure = |error: &dyn std::fmt::Display| Failure::from(anyhow!("{}: {error}", path.display()));
    let mut replay = Replay::open(path).map_err(|error| failure(&error))?;
    let header = replay.header();
    let first = header.first;
    print_line(&format!("recorded by faf-lobby {}, begun at {}", header.server, header.recorded_at));
    if header.server != env!("CARGO_PKG_VERSION") {
        print_line(&format!("this is faf-lobby {}, which may behave differently", env!("CARGO_PKG_VERSION")));
    }
    if until.is_some_and(|until| until < first) {
        return Err(failure(&format!("it begins with event {first}; try an older file")));
    }

    // After an event with other effects the world is in another state, so later differences prove
    // nothing.
    let mut summary = Summary::default();
    let is_last = |played: &Played| played.verdict.is_final() || Some(played.number) == until;
    while !summary.last.as_ref().is_some_and(is_last) {
        match replay.step() {
            Ok(Some(played)) => summary.add(played),
            Ok(None) => break,
            Err(error) => {
                // Even a damaged recording says what happened before the damage.
                print_line(&summary.count());
                return Err(failure(&error));
            }
        }
    }
    print_line(&summary.count());
    let world = replay.world();
    print_line(&state(world));
    if until.is_some() {
        print_line(&details(world));
    }
    if let (Some(last), true) = (&summary.last, *shows_effects) {
        print_line(&effects(last));
    }
    // The result: a difference, or too few events for `until`, or none of these.
    let last = summary.last;
    if let Some(last) = last.as_ref().filter(|last| last.verdict.is_final()) {
        return conclude(last);
    }
    if let Some(until) = until.filter(|until| last.is_none_or(|last| last.number < *until)) {
        return Err(failure(&format!("it ends before event {until}")));
    }
    match replay.cut() {
        None => print_line("all effects are the same"),
        Some(cut) => print_line(&format!(
            "all effects before event {cut} are the same; its message was too long to be kept, so its effects and \
             those of later events may differ"
        )),
    }
    if let Some(ending) = replay.ending() {
        print_line(&describe(ending));
    }
    Ok(())
}

/// Prints the result if the replay differs from the recording.
fn conclude(last: &Played) -> Result<(), Failure> {
    let number = last.number;
    let problem = match last.verdict {
        Verdict::Same | Verdict::Unknown => return Ok(()),
        Verdict::FailsInBoth => {
            print_line("all effects before are the same");
            print_line(&format!("the lobby fails on event {number}, as it did when it was recorded"));
            return Ok(());
        }
        Verdict::Different => format!("event {number} has other effects than recorded"),
        Verdict::FailsInReplay => {
            format!("the lobby fails on event {number}, but did not when it was recorded")
        }
        Verdict::FailedWhenRecorded => {
            format!("the lobby failed on event {number} when it was recorded, but does not now")
        }
    };
    Err(Failure::new(exit_code::DIFFERENT, anyhow!(problem)))
}

/// Summary of the replayed inputs.
#[derive(Default)]
struct Summary {
    events: u64,
    timeouts: u64,
    first: Option<(u64, Moment)>,
    last: Option<Played>,
}

impl Summary {
    fn add(&mut self, played: Played) {
        match &played.event {
            Some(_) => self.events += 1,
            None => self.timeouts += 1,
        }
        self.first.get_or_insert((played.number, played.now));
        self.last = Some(played);
    }

    fn count(&self) -> String {
        let (Some((first, from)), Some(last)) = (self.first, &self.last) else {
            return "no events".to_owned();
        };
        let Self { events, timeouts, .. } = self;
        let took = last.now.elapsed.saturating_sub(from.elapsed);
        format!(
            "events {first} to {}, of which {timeouts} only say that time has passed and {events} more; \
             from {} to {}, {took:.1?}",
            last.number, from.utc, last.now.utc
        )
    }
}

fn state(world: &World) -> String {
    let (players, connections) = (world.player_count(), world.connection_count());
    let (games, requests) = (world.games().count(), world.pending_requests().len());
    format!(
        "after the last: {players} players online, {connections} connections, {games} games, \
         {requests} pending requests"
    )
}

/// Returns the players who are online, the games, and the lobby's pending requests.
fn details(world: &World) -> String {
    let mut text = "online:".to_owned();
    let mut names = BTreeMap::new();
    for player in world.players() {
        let _ = write!(text, "\n  {} {}", player.id, escaped(&player.login));
        names.insert(player.id, escaped(&player.login).to_string());
    }
    let name = |id: &PlayerId| names.get(id).map_or_else(|| id.to_string(), Clone::clone);
    text.push_str("\ngames:");
    for game in world.games() {
        let title = world.game_info(game.id()).map(|info| info.title.clone()).unwrap_or_default();
        let members: Vec<String> = game.members().iter().map(name).collect();
        let (id, state) = (game.id(), game.state());
        let (host, members) = (name(&game.host()), members.join(", "));
        let title = escaped(&title);
        let _ = write!(text, "\n  {id} \"{title}\": {state:?}, hosted by {host}, with {members}");
    }
    text.push_str("\npending requests:");
    for (id, request) in world.pending_requests() {
        let _ = write!(text, "\n  {}: {request}", id.0);
    }
    text
}

/// Returns an event with its effects, one line each, as they are hashed.
fn effects(played: &Played) -> String {
    let Played { number, event, effects, .. } = played;
    let mut text = match event {
        Some(event) => format!("event {number}: {event:?}"),
        None => format!("event {number}: time has passed"),
    };
    for effect in effects {
        let effect: &Effect = effect;
        let _ = write!(text, "\n  {effect:?}");
    }
    text
}

fn describe(ending: &Ending) -> String {
    match ending {
        Ending::Marked(reason) => format!("the recording ends: {reason}"),
        Ending::Unmarked => {
            "the recording has no end marker: the server still runs, or was killed".to_owned()
        }
        Ending::Cut(line) => format!("line {line} is incomplete: the server still writes it, or was killed"),
    }
}
