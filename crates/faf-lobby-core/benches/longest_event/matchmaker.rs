//! The events of the matchmaker while 2,000 players search, each alone.
//!
//! Each event is repeated in copies of the same lobby, and the fastest counts: other programs only
//! slow it down.

use std::time::Duration;

use faf_lobby_core::matchmaking::queue::QueueData;
use faf_lobby_core::matchmaking::vetoes::VetoSettings;
use faf_lobby_core::{Event, Queue, Settings, World};

use crate::rig::{Lobby, queue, quiet};
use crate::{Longest, PLAYERS, message, record, timed};

/// The queues with their team sizes, and how many search in them.
const QUEUES: [(&str, u32, u64); 3] = [("ladder1v1", 1, 1000), ("tmm2v2", 2, 500), ("tmm4v4", 4, 500)];

/// Time at which the lobby reads the queues again. The rounds before are without searches, and the
/// next ones come later.
const RELOAD: Duration = Duration::from_secs(600);

/// Number of copies in which an event is repeated.
const COPIES: usize = 10;

pub(crate) fn measure(found: &mut Vec<Longest>) {
    let settings = Settings { idle_timeout: Some(Duration::from_secs(1_000_000_000)), ..quiet() };
    let mut lobby = Lobby::online(PLAYERS, settings, queues(2));
    wait_until(&mut lobby, RELOAD - Duration::from_secs(14));
    for player in 1..=PLAYERS {
        // The pool is too small for vetoes in the third bracket.
        let (bracket, entry) = (1 + player % 2, 1 + player % 8);
        lobby.send(player, &vetoes(bracket, entry));
    }
    let mut players = 1..=PLAYERS;
    for (name, _, searches) in QUEUES {
        players.by_ref().take(searches as usize).for_each(|player| lobby.send(player, &search(name)));
    }
    // Everything is reported and saved.
    wait_until(&mut lobby, RELOAD - Duration::from_secs(8));
    assert_eq!(searching(&lobby.world), 2000);

    let mut repeat = |of, prepare: &dyn Fn(&mut Lobby), event: &dyn Fn(&mut Lobby) -> Duration| {
        let (base, elapsed) = (lobby.world.clone(), lobby.elapsed);
        let times = (0..COPIES).map(|_| {
            (lobby.world, lobby.elapsed) = (base.clone(), elapsed);
            prepare(&mut lobby);
            event(&mut lobby)
        });
        record(found, of, times.min());
        let after = searching(&lobby.world);
        (lobby.world, lobby.elapsed) = (base.clone(), elapsed);
        lobby.store.data.queues = queues(2);
        after
    };
    let unprepared = |_: &mut Lobby| ();
    let toggle = |lobby: &mut Lobby| lobby.send(1, &search("ladder1v1"));
    let due = |lobby: &mut Lobby| {
        lobby.elapsed = lobby.world.next_deadline().unwrap();
        timed(lobby, None)
    };
    let ask = |lobby: &mut Lobby| timed(lobby, Some(message(PLAYERS, r#"{"command":"matchmaker_info"}"#)));
    repeat("a search that begins again", &unprepared, &|lobby| {
        timed(lobby, Some(message(1, &search("ladder1v1"))))
    });
    repeat("a report of a queue of 1,000 searches", &toggle, &due);
    repeat("a question for 2,000 searches after a change", &toggle, &ask);
    let asked = |lobby: &mut Lobby| lobby.send(2, r#"{"command":"matchmaker_info"}"#);
    repeat("the same question again", &asked, &ask);
    let reported = |lobby: &mut Lobby| {
        toggle(lobby);
        let end = lobby.elapsed + Duration::from_secs(1);
        wait_until(lobby, end);
    };
    repeat("saving 2,000 searches", &reported, &due);
    let all_end = repeat("a shutdown that ends 2,000 searches", &unprepared, &|lobby| {
        timed(lobby, Some(Event::Shutdown))
    });
    assert_eq!(all_end, 0);
    let others = |lobby: &mut Lobby| {
        wait_until(lobby, RELOAD - Duration::from_millis(1));
        lobby.store.data.queues = queues(1);
    };
    let all_end = repeat("a reload that takes a token from all players", &others, &due);
    assert_eq!(all_end, 0);
    let gone = |lobby: &mut Lobby| {
        wait_until(lobby, RELOAD - Duration::from_millis(1));
        lobby.store.data.queues.clear();
    };
    let all_end = repeat("a reload without the queues", &gone, &due);
    assert_eq!(all_end, 0);
    let before_the_round = |lobby: &mut Lobby| {
        let round = lobby.world.queues().map(Queue::next_pop).min().unwrap();
        wait_until(lobby, round - Duration::from_millis(1));
    };
    let rest = repeat("rounds of three queues, 500, 125 and 62 matches", &before_the_round, &due);
    assert_eq!(rest, 2000 - 2 * 500 - 4 * 125 - 8 * 62);
}

/// The queues, in whose brackets each player has so many tokens.
fn queues(tokens: u32) -> Vec<QueueData> {
    let vetoes = VetoSettings {
        veto_tokens_per_player: tokens,
        max_tokens_per_map: tokens,
        ..VetoSettings::default()
    };
    (1..).zip(QUEUES).map(|(id, (name, team_size, _))| queue(id, name, team_size, vetoes)).collect()
}

/// Lets time pass until then, and everything happen that is due before or then.
fn wait_until(lobby: &mut Lobby, end: Duration) {
    while let Some(due) = lobby.world.next_deadline().filter(|due| *due <= end) {
        lobby.elapsed = due;
        timed(lobby, None);
    }
    lobby.elapsed = end;
}

fn searching(world: &World) -> usize {
    world.queues().map(|queue| world.searches(queue).len()).sum()
}

fn search(queue: &str) -> String {
    format!(r#"{{"command":"game_matchmaking","state":"start","queue_name":"{queue}"}}"#)
}

/// The command with which a player spends two tokens on a map.
fn vetoes(bracket: u64, entry: u64) -> String {
    format!(
        r#"{{"command":"set_player_vetoes","vetoes":[{{"matchmaker_queue_map_pool_id":{bracket},"map_pool_map_version_id":{entry},"veto_tokens_applied":2}}]}}"#
    )
}
