//! Helpers for stories about queues and matches: the queues, the players, and short forms of what
//! they send and receive.
#![allow(dead_code, reason = "not every story uses all of them")]

use std::collections::BTreeMap;
use std::time::Duration;

use faf_lobby_core::matchmaking::map_pool::{Bracket, PoolEntry};
use faf_lobby_core::matchmaking::queue::QueueData;
use faf_lobby_core::ratings::LADDER;
use faf_lobby_core::{Ban, ConnId, MapVersion, MatchOutcome, QueueEvent, Settings, Timestamp};
use faf_protocol::PoolEntryId;
use faf_protocol::server_message::{LeaderboardRating, Rating};
use faf_testkit::lobby::{BEGINNING, SimulatedLobby};
use faf_testkit::queues;
use faf_testkit::store::FakeStore;
use serde_json::Value;

/// Logins of the players, who are numbered from 1.
pub(crate) const LOGINS: [&str; 8] = ["Ada", "Bob", "Cem", "Dan", "Eve", "Fay", "Gus", "Hal"];

/// The queues of all stories. Both of one against one have the same leaderboard.
pub(crate) const SOLO: &str = "ladder1v1";
pub(crate) const OTHER_SOLO: &str = "other1v1";
pub(crate) const PAIRS: &str = "tmm2v2";

/// Time from the start of a lobby to the first round of every queue.
pub(crate) const FIRST_ROUND: u64 = 45;

/// Returns an entry of a map pool: a map of the vault with this number.
pub(crate) fn fixed(id: i64, version: u32) -> PoolEntry {
    let file = format!("maps/map_{version}.zip");
    PoolEntry::fixed(PoolEntryId(id), 1, MapVersion { id: version, is_ranked: true }, &file).unwrap()
}

pub(crate) fn bracket(id: i64, ratings: [Option<i64>; 2], pool: Vec<PoolEntry>) -> Bracket {
    let [min_rating, max_rating] = ratings;
    Bracket { min_rating, max_rating, ..queues::bracket(id, pool) }
}

pub(crate) fn queue(id: u32, name: &str, team_size: u32) -> QueueData {
    let brackets = vec![bracket(1, [None, None], vec![fixed(1, 7)])];
    QueueData { brackets, ..queues::queue(id, name, team_size) }
}

/// Returns a store with all players, of equal strength, and all queues.
pub(crate) fn store() -> FakeStore {
    let mut store = FakeStore::with_accounts(LOGINS);
    store.data.queues = vec![queue(1, SOLO, 1), queue(2, OTHER_SOLO, 1), queue(3, PAIRS, 2)];
    for version in 7..=9 {
        store.maps.insert(format!("map_{version}"), MapVersion { id: version, is_ranked: true });
    }
    for login in LOGINS {
        rate(&mut store, login, 1500.0);
    }
    store
}

/// Gives a player a settled rating on the leaderboard of all queues.
pub(crate) fn rate(store: &mut FakeStore, login: &str, mean: f64) {
    let rating = LeaderboardRating { rating: Rating { mean, deviation: 80.0 }, number_of_games: 100 };
    store.account(login).ratings = vec![(LADDER.to_owned(), rating)];
}

pub(crate) fn ban() -> Ban {
    Ban { reason: "cheating".to_owned(), expires_at: Timestamp(BEGINNING.0 + 86_400_000_000) }
}

/// A lobby with players who are online, whom stories call by their numbers.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) lobby: SimulatedLobby,
    conns: BTreeMap<u32, ConnId>,
}

impl Story {
    /// Begins a story of the first players.
    pub(crate) fn of(players: u32) -> Self {
        Self::with(players, Settings::default(), store())
    }

    pub(crate) fn with(players: u32, settings: Settings, store: FakeStore) -> Self {
        let mut story = Self { lobby: SimulatedLobby::new(settings, store), conns: BTreeMap::new() };
        for player in 1..=players {
            story.log_in(player);
        }
        story.wait(1);
        for player in 1..=players {
            story.seen(player);
        }
        story
    }

    /// Logs a player in, on a new connection.
    pub(crate) fn log_in(&mut self, player: u32) {
        let conn = self.lobby.log_in(LOGINS[player as usize - 1]);
        self.conns.insert(player, conn);
    }

    /// Continues with a player on another connection.
    pub(crate) fn set_conn(&mut self, player: u32, conn: ConnId) {
        self.conns.insert(player, conn);
    }

    pub(crate) fn conn(&self, player: u32) -> ConnId {
        self.conns[&player]
    }

    pub(crate) fn is_online(&self, player: u32) -> bool {
        self.conns.get(&player).is_some_and(|conn| self.lobby.is_open(*conn))
    }

    pub(crate) fn disconnect(&mut self, player: u32) {
        let conn = self.conn(player);
        self.lobby.disconnect(conn);
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.lobby.advance(Duration::from_secs(seconds));
    }

    /// Waits until this many seconds after the start of the lobby.
    pub(crate) fn wait_until(&mut self, second: u64) {
        let rest = Duration::from_secs(second).checked_sub(self.lobby.now());
        self.lobby.advance(rest.expect("that time has passed"));
    }

    /// Waits until a second before the next round of a queue.
    pub(crate) fn wait_for_round(&mut self, queue: u32) {
        let next = self.inside()["queues"]["queues"][queue.to_string()]["next_pop"]["secs"].clone();
        self.wait_until(next.as_u64().unwrap() - 1);
    }

    pub(crate) fn send(&mut self, player: u32, text: &str) {
        let conn = self.conn(player);
        self.lobby.send(conn, text);
    }

    pub(crate) fn start(&mut self, player: u32, queue: &str) {
        self.send(
            player,
            &format!(r#"{{"command":"game_matchmaking","state":"start","queue_name":"{queue}"}}"#),
        );
    }

    pub(crate) fn stop(&mut self, player: u32, queue: &str) {
        self.send(
            player,
            &format!(r#"{{"command":"game_matchmaking","state":"stop","queue_name":"{queue}"}}"#),
        );
    }

    pub(crate) fn host(&mut self, player: u32) {
        self.send(player, r#"{"command":"game_host","visibility":"public"}"#);
    }

    /// Sends a message of a player's game process.
    pub(crate) fn game(&mut self, player: u32, command: &str, args: &str) {
        self.send(player, &format!(r#"{{"target":"game","command":"{command}","args":{args}}}"#));
    }

    /// Sends states of a player's game process, one after the other.
    pub(crate) fn process(&mut self, player: u32, states: &[&str]) {
        for state in states {
            self.game(player, "GameState", &format!(r#"["{state}"]"#));
        }
    }

    /// Reports whether the process of a player is connected to another player's.
    pub(crate) fn reaches(&mut self, player: u32, peers: &[u32]) {
        for peer in peers {
            self.game(player, "EstablishedPeer", &format!(r#"["{peer}"]"#));
        }
    }

    pub(crate) fn invite(&mut self, owner: u32, guest: u32) {
        self.send(owner, &format!(r#"{{"command":"invite_to_party","recipient_id":{guest}}}"#));
    }

    pub(crate) fn accept(&mut self, guest: u32, owner: u32) {
        self.send(guest, &format!(r#"{{"command":"accept_party_invite","sender_id":{owner}}}"#));
    }

    /// Brings players into a party.
    pub(crate) fn party(&mut self, owner: u32, guests: &[u32]) {
        for guest in guests {
            self.invite(owner, *guest);
            self.accept(*guest, owner);
        }
        self.wait(1);
        for player in std::iter::once(&owner).chain(guests) {
            self.seen(*player);
        }
    }

    /// Returns the messages that a player has received since the last call, without reports to
    /// everybody and the reasons why there is no match yet, in short forms.
    pub(crate) fn seen(&mut self, player: u32) -> Vec<String> {
        self.received(player).iter().map(short).collect()
    }

    /// Returns the same as JSON.
    pub(crate) fn received(&mut self, player: u32) -> Vec<Value> {
        let conn = self.conn(player);
        let messages = self.lobby.receive(conn).into_iter();
        let messages = messages.map(|text| serde_json::from_str::<Value>(&text).unwrap());
        let reports = ["player_info", "matchmaker_info", "game_info", "ping"];
        // Why there is no match yet is said once a minute; it changes nothing.
        let is_reason =
            |message: &Value| message["command"] == "search_info" && message.get("reason").is_some();
        let is_report = |message: &Value| reports.iter().any(|report| message["command"] == *report);
        messages.filter(|message| !is_report(message) && !is_reason(message)).collect()
    }

    /// Returns the messages of one command that a player has received since the last call.
    pub(crate) fn received_as(&mut self, player: u32, command: &str) -> Vec<Value> {
        let conn = self.conn(player);
        let messages = self.lobby.receive(conn).into_iter();
        let messages = messages.map(|text| serde_json::from_str::<Value>(&text).unwrap());
        messages.filter(|message| message["command"] == command).collect()
    }

    /// Returns the activity of an online player.
    pub(crate) fn activity(&self, player: u32) -> String {
        let online = &self.inside()["players"]["online"][player.to_string()];
        online["activity"].as_str().unwrap_or("offline").to_owned()
    }

    /// Returns the state of the lobby as it is recorded.
    pub(crate) fn inside(&self) -> Value {
        serde_json::to_value(&self.lobby.world).unwrap()
    }

    /// Two players search, and are matched: the first hosts. Returns the id of the game.
    pub(crate) fn matched(&mut self, host: u32, guest: u32) -> u32 {
        self.start(host, SOLO);
        self.start(guest, SOLO);
        let expected = [format!("{SOLO} start"), format!("found {SOLO}")];
        let mut seen = Vec::new();
        for _ in 0..200 {
            seen.extend(self.seen(host));
            if let Some(game) = seen.last().and_then(|last| last.strip_prefix("launch ")) {
                let game = game.parse().unwrap();
                assert_eq!(seen[..2], expected);
                assert_eq!(self.seen(guest), expected);
                return game;
            }
            self.wait(1);
        }
        panic!("{host} and {guest} found no match: {seen:?}");
    }

    /// Two players are matched, and both are in the lobby of the game.
    pub(crate) fn assembled(&mut self, host: u32, guest: u32) -> u32 {
        let game = self.matched(host, guest);
        self.process(host, &["Idle", "Lobby"]);
        assert_eq!(self.seen(host), ["HostGame"]);
        assert_eq!(self.seen(guest), [format!("launch {game}")]);
        self.process(guest, &["Idle", "Lobby"]);
        assert_eq!(self.seen(host), ["ConnectToPeer"]);
        assert_eq!(self.seen(guest), ["JoinGame"]);
        game
    }

    /// The host's process sends the places of all players, as the game's own lobby does.
    pub(crate) fn seat(&mut self, host: u32, players: &[u32]) {
        for (army, player) in (1..).zip(players) {
            let team = if army % 2 == 1 { 2 } else { 3 };
            for (key, value) in
                [("Team", team), ("Army", army), ("StartSpot", army), ("Color", army), ("Faction", 1)]
            {
                self.game(host, "PlayerOption", &format!(r#"["{player}","{key}",{value}]"#));
            }
        }
    }

    /// Returns how all matches so far have ended.
    pub(crate) fn outcomes(&self) -> Vec<MatchOutcome> {
        let outcome = |event: &QueueEvent| match event {
            QueueEvent::MatchEnded { outcome, .. } => Some(*outcome),
            _ => None,
        };
        self.lobby.queue_events.iter().filter_map(outcome).collect()
    }

    /// Checks that a player can host a game, which is what being free means.
    pub(crate) fn assert_free(&mut self, player: u32) {
        assert_eq!(self.activity(player), "Idle", "player {player}");
        self.seen(player);
        self.host(player);
        let seen = self.seen(player);
        assert!(seen.len() == 1 && seen[0].starts_with("launch "), "player {player}: {seen:?}");
        self.process(player, &["Ended"]);
        assert_eq!(self.activity(player), "Idle", "player {player}");
        self.seen(player);
    }
}

/// Returns a message in a short form.
fn short(message: &Value) -> String {
    let command = message["command"].as_str().unwrap_or_default();
    match command {
        "search_info" => {
            format!("{} {}", message["queue_name"].as_str().unwrap(), message["state"].as_str().unwrap())
        }
        "match_found" => format!("found {}", message["queue_name"].as_str().unwrap()),
        "match_cancelled" => format!("cancelled {}", message["game_id"]),
        "notice" => {
            let text = message["text"].as_str().unwrap_or_default();
            format!("{}: {text}", message["style"].as_str().unwrap())
        }
        "search_violation" => format!("violation {}", message["count"]),
        "game_launch" => format!("launch {}", message["uid"]),
        "update_party" => {
            let members = message["members"].as_array().unwrap();
            let members: Vec<String> = members.iter().map(|member| member["player"].to_string()).collect();
            format!("party {}: {}", message["owner"], members.join(" "))
        }
        _ => command.to_owned(),
    }
}
