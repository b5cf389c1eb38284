//! Laws of queues and matches, whatever six players do in two queues.

use std::collections::BTreeMap;

use faf_lobby_core::Settings;
use proptest::prelude::*;
use serde_json::Value;

use crate::matchmaker::*;

const PLAYERS: u32 = 6;

/// A step of a story. Players are numbered from 1.
#[derive(Debug, Clone)]
enum Step {
    Start(u32, bool),
    Stop(u32, bool),
    Leave(u32),
    Join(u32, u32),
    Kick(u32, u32),
    Drop(u32),
    LogIn(u32),
    Process(u32, &'static str),
    /// The processes of all players send this, as those of a match do in the end.
    Processes(&'static str),
    Host(u32),
    Wait(u64),
    Queues(bool),
    Restart,
    /// The database is away, or is there again.
    Database(bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    let player = || 1..=PLAYERS;
    let state = prop_oneof![
        3 => Just("Idle"), 3 => Just("Lobby"), 2 => Just("Launching"), 2 => Just("Ended"),
    ];
    prop_oneof![
        12 => (player(), any::<bool>()).prop_map(|(player, pairs)| Step::Start(player, pairs)),
        3 => (player(), any::<bool>()).prop_map(|(player, pairs)| Step::Stop(player, pairs)),
        2 => player().prop_map(Step::Leave),
        5 => (player(), player()).prop_map(|(guest, owner)| Step::Join(guest, owner)),
        1 => (player(), player()).prop_map(|(owner, guest)| Step::Kick(owner, guest)),
        2 => player().prop_map(Step::Drop),
        3 => player().prop_map(Step::LogIn),
        14 => (player(), state).prop_map(|(player, state)| Step::Process(player, state)),
        8 => prop_oneof![3 => Just("Idle"), 5 => Just("Lobby"), 2 => Just("Launching")].prop_map(Step::Processes),
        2 => player().prop_map(Step::Host),
        14 => prop_oneof![Just(1_u64), Just(15), Just(45), Just(60), Just(70)].prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::Queues),
        1 => Just(Step::Restart),
        1 => any::<bool>().prop_map(Step::Database),
    ]
}

fn perform(story: &mut Story, step: &Step) {
    let queue = |pairs: bool| if pairs { PAIRS } else { SOLO };
    match *step {
        Step::Wait(seconds) => story.wait(seconds),
        Step::Database(is_away) => story.lobby.store.is_unavailable = is_away,
        Step::Queues(is_there) => {
            let mut queues = store().data.queues.clone();
            if !is_there {
                // The stored record of a launch names the queue, so no queue goes here.
                queues[2].team_size = 1;
                queues[0].name = "renamed1v1".to_owned();
            }
            story.lobby.store.data.queues = queues;
        }
        Step::Restart => {
            story.lobby.store.is_unavailable = false;
            story.lobby.restart();
            (1..=PLAYERS).for_each(|player| story.log_in(player));
        }
        Step::LogIn(player) if !story.lobby.store.is_unavailable => story.log_in(player),
        Step::Start(player, ..)
        | Step::Stop(player, ..)
        | Step::Leave(player)
        | Step::Join(player, _)
        | Step::Kick(player, _)
        | Step::Drop(player)
        | Step::LogIn(player)
        | Step::Process(player, _)
        | Step::Host(player)
            if !story.is_online(player) => {}
        Step::Start(player, pairs) => story.start(player, queue(pairs)),
        Step::Stop(player, pairs) => story.stop(player, queue(pairs)),
        Step::Leave(player) => story.send(player, r#"{"command":"leave_party"}"#),
        Step::Join(guest, owner) => {
            if story.is_online(owner) {
                story.invite(owner, guest);
                story.accept(guest, owner);
            }
        }
        Step::Kick(owner, guest) => {
            story.send(
                owner,
                &format!(r#"{{"command":"kick_player_from_party","kicked_player_id":{guest}}}"#),
            );
        }
        Step::Drop(player) => story.disconnect(player),
        Step::Process(player, state) => process(story, player, state),
        Step::Processes(state) => {
            for player in 1..=PLAYERS {
                if story.is_online(player) {
                    process(story, player, state);
                }
            }
        }
        Step::Host(player) => story.host(player),
        Step::LogIn(_) => {}
    }
}

fn process(story: &mut Story, player: u32, state: &str) {
    if state == "Launching" {
        story.seat(player, &[1, 2, 3, 4, 5, 6]);
    }
    story.process(player, &[state]);
}

/// Returns the number of a player who is the key of an entry.
fn number(player: &str) -> u32 {
    player.parse().unwrap()
}

/// Checks the laws that hold at any time.
fn check(story: &Story) {
    let inside = story.inside();
    let online = inside["players"]["online"].as_object().unwrap();
    let searching = inside["queues"]["searching"].as_object().unwrap();
    // Every search is where its players say, and the numbers of players are right.
    let mut searches_of: BTreeMap<String, usize> = BTreeMap::new();
    for (id, queue) in inside["queues"]["queues"].as_object().unwrap() {
        let mut players = 0;
        for (search, found) in queue["searches"].as_object().unwrap() {
            let members = found["players"].as_array().unwrap();
            assert!(!members.is_empty());
            assert!(members.len() as u64 <= queue["data"]["team_size"].as_u64().unwrap());
            players += members.len();
            for member in members {
                let entry = &searching[&member.to_string()][id];
                assert_eq!(entry.to_string(), *search, "{member} is in two searches of one queue");
                *searches_of.entry(member.to_string()).or_default() += 1;
            }
        }
        assert_eq!(queue["players"], players);
    }
    for (player, queues) in searching {
        assert_eq!(searches_of.get(player).copied(), Some(queues.as_object().unwrap().len()));
        assert!(online.contains_key(player), "{player} searches offline");
    }
    let matches = inside["matches"]["matches"].as_object().unwrap();
    let of_player = inside["matches"]["of_player"].as_object().unwrap();
    for (player, found) in of_player {
        let found = &matches[&found.to_string()];
        let mut players = found["teams"].as_array().unwrap().iter().flat_map(|team| team.as_array().unwrap());
        assert!(players.any(|matched| matched["player"] == number(player)), "{player} is in no team");
    }
    for (player, online) in online {
        let activity = online["activity"].as_str().unwrap();
        assert_eq!(activity == "SearchingLadder", searching.contains_key(player), "{player} is {activity}");
        let found = of_player.get(player).map(|found| &matches[&found.to_string()]);
        if activity == "StartingAutomatch" {
            let found = found.unwrap_or_else(|| panic!("{player} is in no match"));
            // A cancelled match keeps only players whose process runs.
            assert!(found["phase"] != "Cancelled" || !online["game"].is_null(), "{player} waits for nothing");
        }
        let is_in_it = |found: &&Value| {
            let lost = found["lost"].as_array().unwrap();
            found["phase"] != "Cancelled" && lost.iter().all(|lost| *lost != number(player))
        };
        if found.filter(is_in_it).is_some() && activity == "SearchingLadder" {
            // Only a guest whose process was given up may search before the match ends.
            assert_eq!(found.unwrap()["phase"], "WaitsForGuests", "{player} searches in a match");
        }
        let busy = ["StartingGame", "Hosting", "Joining", "Playing"].contains(&activity);
        assert!(!busy || !online["game"].is_null(), "{player} is {activity} without a process");
        if ["Idle", "SearchingLadder"].contains(&activity) {
            assert!(online["game"].is_null(), "{player} is {activity} with a process");
        }
    }
    story.lobby.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_everybody_is_free_in_the_end(
        steps in prop::collection::vec(any_step(), 1..80),
    ) {
        let mut settings = Settings::default();
        settings.matchmaking.queue_pop_desired_matches = 0.1;
        settings.matches.violations.enabled = steps.len() % 2 == 0;
        let mut story = Story::with(PLAYERS, settings, store());
        for step in &steps {
            perform(&mut story, step);
            check(&story);
        }
        // All searches end, and so do the processes of games that players host or that are live.
        // Those of matches stay silent: the time limits of the lobby release their players.
        story.lobby.store.is_unavailable = false;
        story.wait(10);
        let inside = story.inside();
        for player in 1..=PLAYERS {
            if story.is_online(player) {
                let game = &inside["players"]["online"][player.to_string()]["game"]["game"];
                if inside["matches"]["matches"].get(game.to_string()).is_none() {
                    story.process(player, &["Ended"]);
                }
                story.stop(player, SOLO);
                story.stop(player, "renamed1v1");
                story.stop(player, PAIRS);
            }
        }
        // Three guests have 60 s and 10 s each to connect, and then 60 s to end their processes.
        story.wait(151);
        check(&story);
        let inside = story.inside();
        prop_assert_eq!(inside["matches"]["matches"].as_object().unwrap().len(), 0);
        for player in 1..=PLAYERS {
            if story.is_online(player) {
                story.assert_free(player);
            }
        }
    }
}
