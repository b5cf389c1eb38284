//! Compares the messages that a client has received in one section of a session with the expected
//! ones, by the rules of `golden/sessions/README.md`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::align::align;
use super::values::differences;
use super::volatile::{constant, constant_game};

/// A pseudo-message after the last message of a connection that the server has closed.
#[must_use]
pub fn end() -> Value {
    json!({"command": "the end"})
}

/// Returns whether a message is a ping and nothing else. Pings come at any time, and only some
/// sessions are about them, so they are not compared like other messages.
#[must_use]
pub fn is_ping(message: &Value) -> bool {
    message["command"] == "ping" && message.as_object().is_some_and(|members| members.len() == 1)
}

/// Returns the differences between what one client should have received in a section of a session,
/// and what it has received.
#[must_use]
pub fn section(expected: Vec<Value>, received: Vec<Value>) -> Vec<String> {
    let (expected, received) = (Received::new(expected), Received::new(received));
    let mut findings = Vec::new();
    for pair in align(&expected.direct, &received.direct) {
        match pair {
            (Some(expected), Some(received)) => {
                let command = expected["command"].as_str().unwrap_or_default();
                findings.extend(differences(command, expected, received));
            }
            (Some(missing), None) => findings.push(format!("missing {}", shown(missing))),
            (None, Some(other)) => findings.push(format!("unexpected {}", shown(other))),
            (None, None) => {}
        }
    }
    if expected.of_itself && !received.of_itself {
        findings.push("missing broadcast about itself".to_owned());
    }
    // The ids in a list have been compared above. A broadcast may follow that tells something else.
    let mut reported = both("player", &expected.listed_players, &received.listed_players);
    reported.extend(both("game", &expected.listed_games, &received.listed_games));
    let mut last = each("player", &expected.players, &received.players);
    last.extend(each("game", &expected.games, &received.games));
    last.retain(|finding| !reported.contains(finding));
    findings.into_iter().chain(reported).chain(last).collect()
}

/// Removes the reports about games that should not have been received.
pub fn forget_other_games(expected: &[Value], received: &mut Vec<Value>) {
    let uid = |message: &Value| (message["command"] == "game_info").then(|| message["uid"].as_u64())?;
    let games: BTreeSet<u64> = expected.iter().filter_map(uid).collect();
    received.retain(|message| uid(message).is_none_or(|uid| games.contains(&uid)));
}

/// Returns whether messages are about all players and games that the expected ones are about.
#[must_use]
pub fn is_about_all(expected: &[Value], received: &[Value]) -> bool {
    let subjects = |messages: &[Value]| {
        let (mut players, mut games) = (BTreeSet::new(), BTreeSet::new());
        for message in messages {
            match Report::of(message) {
                Some(Report::Players(list)) => players.extend(ids(&list)),
                Some(Report::Games(list)) => games.extend(ids(&list)),
                Some(Report::Game(uid)) => drop(games.insert(uid)),
                Some(Report::Queues) | None => {}
            }
        }
        (players, games)
    };
    let (expected, received) = (subjects(expected), subjects(received));
    received.0.is_superset(&expected.0) && received.1.is_superset(&expected.1)
}

/// Returns the differences between lists of players, regardless of order.
#[must_use]
pub fn players(expected: &Value, received: &Value) -> Vec<String> {
    lists("player", "id", expected, received)
}

/// Returns the differences between lists of games, regardless of order.
#[must_use]
pub fn games(expected: &Value, received: &Value) -> Vec<String> {
    lists("game", "uid", expected, received)
}

fn lists(kind: &str, key: &str, expected: &Value, received: &Value) -> Vec<String> {
    let (Some(expected_entries), Some(entries)) = (entries(expected, key), entries(received, key)) else {
        return differences(kind, expected, received);
    };
    let ids: Vec<u64> = entries.iter().map(|(id, _)| *id).collect();
    let constant = |(id, entry): (u64, &Value)| (id, constant_game(entry.clone()));
    let expected = expected_entries.into_iter().map(constant).collect();
    let mut findings = each(kind, &expected, &entries.into_iter().map(constant).collect());
    let is_repeated = |position: &usize| ids[..*position].contains(&ids[*position]);
    let repeated = (0..ids.len()).filter(is_repeated);
    findings.extend(repeated.map(|position| format!("{kind} {} is listed twice", ids[position])));
    findings
}

/// Returns the entries of a list by their ids; `None` if it is no list, or an entry has no id.
fn entries<'a>(list: &'a Value, key: &str) -> Option<Vec<(u64, &'a Value)>> {
    list.as_array()?.iter().map(|entry| Some((entry.get(key)?.as_u64()?, entry))).collect()
}

/// A message of which only the last state of each player or game counts.
pub(super) enum Report<'a> {
    /// Players, of a list or of a broadcast.
    Players(Vec<(u64, &'a Value)>),
    /// Games in the list at the login, or in a broadcast to the broker.
    Games(Vec<(u64, &'a Value)>),
    /// A broadcast about one game.
    Game(u64),
    /// Queues of the matchmaker.
    Queues,
}

impl<'a> Report<'a> {
    /// Returns `None` for any other message, and for one with a member too many or of another type.
    /// It is then compared as a whole.
    pub(super) fn of(message: &'a Value) -> Option<Self> {
        let list = |member: &str| {
            message.get(member).filter(|_| message.as_object().is_some_and(|members| members.len() == 2))
        };
        match message["command"].as_str()? {
            "player_info" => entries(list("players")?, "id").map(Self::Players),
            "game_info" => match message.get("uid") {
                Some(uid) => uid.as_u64().map(Self::Game),
                None => entries(list("games")?, "uid").map(Self::Games),
            },
            "matchmaker_info" => {
                let queues = list("queues")?.as_array()?;
                queues.iter().all(|queue| queue["queue_name"].is_string()).then_some(Self::Queues)
            }
            _ => None,
        }
    }
}

/// Returns the differences between broadcasts about players and games. They may repeat a state more
/// or less often: only the last state of each player and each game counts.
#[must_use]
pub fn broadcasts(expected: &[Value], received: &[Value]) -> Vec<String> {
    let last = |bodies: &[Value]| {
        let (mut players, mut games) = (BTreeMap::new(), BTreeMap::new());
        for body in bodies {
            match Report::of(body) {
                Some(Report::Players(list)) => {
                    players.extend(list.into_iter().map(|(id, p)| (id, p.clone())));
                }
                Some(Report::Games(list)) => {
                    games.extend(list.into_iter().map(|(uid, game)| (uid, constant_game(game.clone()))));
                }
                _ => {}
            }
        }
        (players, games)
    };
    let (expected, received) = (last(expected), last(received));
    let mut findings = each("player", &expected.0, &received.0);
    findings.extend(each("game", &expected.1, &received.1));
    findings
}

/// The messages that a client has received, by kind.
#[derive(Debug, Default)]
struct Received {
    /// Messages to this client alone, in order, without the parts that vary.
    direct: Vec<Value>,
    /// The lists after a login.
    listed_players: BTreeMap<u64, Value>,
    listed_games: BTreeMap<u64, Value>,
    /// Last state of each player and each game. Broadcasts may repeat it more or less often, so it
    /// does not matter whether it was in the list after a login or came later.
    players: BTreeMap<u64, Value>,
    games: BTreeMap<u64, Value>,
    /// Whether there was a broadcast about the player of this client.
    of_itself: bool,
}

impl Received {
    fn new(messages: Vec<Value>) -> Self {
        let mut heard = Self::default();
        let (mut is_list_due, mut own_id) = (false, None);
        for message in messages {
            match Report::of(&message) {
                Some(Report::Players(players)) => {
                    let is_list = std::mem::take(&mut is_list_due);
                    heard.of_itself |= !is_list && players.iter().any(|(id, _)| own_id == Some(*id));
                    if is_list {
                        heard.direct.push(json!({"command": "player_info", "players": ids(&players)}));
                    }
                    for (id, player) in players {
                        if is_list {
                            heard.listed_players.insert(id, player.clone());
                        }
                        heard.players.insert(id, player.clone());
                    }
                }
                Some(Report::Games(games)) => {
                    heard.direct.push(json!({"command": "game_info", "games": ids(&games)}));
                    for (uid, game) in games {
                        let game = constant_game(game.clone());
                        heard.listed_games.insert(uid, game.clone());
                        heard.games.insert(uid, game);
                    }
                }
                Some(Report::Game(uid)) => drop(heard.games.insert(uid, constant_game(message))),
                // See `queues`.
                Some(Report::Queues) => {}
                None => {
                    if message["command"] == "welcome" {
                        (is_list_due, own_id) = (true, message["id"].as_u64());
                    }
                    // A party is reported at most once a second, with all that has changed; its end
                    // is a report of its own.
                    let has_members =
                        |one: &Value| one["command"] == "update_party" && one["members"] != json!([]);
                    let is_same_party = |last: &mut Value| {
                        has_members(last) && has_members(&message) && last["owner"] == message["owner"]
                    };
                    heard.direct.pop_if(is_same_party);
                    heard.direct.push(constant(message));
                }
            }
        }
        // The order of connections to several peers does not matter.
        let is_peer = |message: &Value| message["command"] == "ConnectToPeer";
        for peers in heard.direct.chunk_by_mut(|one, next| is_peer(one) && is_peer(next)) {
            peers.sort_by_cached_key(Value::to_string);
        }
        // Messages of two players to a third may arrive in any order, but not those of one of them.
        let is_relayed = |message: &Value| message["command"] == "IceMsg";
        for relayed in heard.direct.chunk_by_mut(|one, next| is_relayed(one) && is_relayed(next)) {
            relayed.sort_by_cached_key(|message| message["args"][0].to_string());
        }
        heard
    }
}

/// Returns the ids of a list in their order.
fn ids(entries: &[(u64, &Value)]) -> Vec<u64> {
    let mut ids: Vec<u64> = entries.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids
}

/// Returns the differences of those that are on both sides.
fn both(kind: &str, expected: &BTreeMap<u64, Value>, received: &BTreeMap<u64, Value>) -> Vec<String> {
    let pairs = expected.iter().filter_map(|(id, message)| Some((id, message, received.get(id)?)));
    let of_pair = |(id, message, received)| {
        let of_one = move |finding: String| format!("{kind} {id}: {finding}");
        differences(kind, message, received).into_iter().map(of_one)
    };
    pairs.flat_map(of_pair).collect()
}

fn each(kind: &str, expected: &BTreeMap<u64, Value>, received: &BTreeMap<u64, Value>) -> Vec<String> {
    let mut findings = both(kind, expected, received);
    let missing = expected.keys().filter(|id| !received.contains_key(id));
    findings.extend(missing.map(|id| format!("missing {kind} {id}")));
    for (id, message) in received.iter().filter(|(id, _)| !expected.contains_key(id)) {
        findings.push(match message["state"].as_str() {
            Some(state) => format!("unexpected {kind} {id} ({state})"),
            None => format!("unexpected {kind} {id}"),
        });
    }
    findings
}

fn shown(message: &Value) -> String {
    let mut members = message.as_object().cloned().unwrap_or_default();
    let command = members.remove("command").unwrap_or_default();
    let command = command.as_str().unwrap_or_default();
    if members.is_empty() { command.to_owned() } else { format!("{command} {}", Value::Object(members)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: &str) -> Value {
        json!({"command": "ConnectToPeer", "args": [name, 1, true], "target": "game"})
    }

    fn player(id: u64, games: u64) -> Value {
        json!({"command": "player_info", "players": [{"id": id, "number_of_games": games}]})
    }

    #[test]
    fn peers_come_in_any_order_after_the_host() {
        let join = json!({"command": "JoinGame", "args": ["Ada", 1], "target": "game"});
        let expected = vec![join.clone(), peer("Bob"), peer("Cem")];
        assert!(section(expected.clone(), vec![join.clone(), peer("Cem"), peer("Bob")]).is_empty());
        assert_eq!(section(expected.clone(), vec![peer("Bob"), join.clone(), peer("Cem")]).len(), 2);
        // Each peer must occur once.
        assert_eq!(section(expected, vec![join, peer("Cem"), peer("Cem")]).len(), 1);
    }

    #[test]
    fn the_last_of_several_reports_about_a_party_counts() {
        let party = |owner: u64, members: u64| {
            let members: Vec<Value> = (0..members).map(|player| json!({"player": player})).collect();
            json!({"command": "update_party", "owner": owner, "members": members})
        };
        let notice = json!({"command": "notice", "style": "info", "text": "t"});
        assert!(section(vec![party(1, 1), party(1, 2)], vec![party(1, 2)]).is_empty());
        assert!(!section(vec![party(1, 1), party(1, 2)], vec![party(1, 1)]).is_empty());
        // Other parties, ends of parties, and those between which something else comes, are
        // reported on their own.
        assert!(!section(vec![party(1, 1), party(1, 0)], vec![party(1, 0)]).is_empty());
        assert!(!section(vec![party(2, 1), party(1, 2)], vec![party(1, 2)]).is_empty());
        assert!(
            !section(vec![party(1, 1), notice.clone(), party(1, 2)], vec![notice, party(1, 2)]).is_empty()
        );
    }

    #[test]
    fn relayed_messages_of_one_sender_keep_their_order() {
        let ice =
            |sender: u64, text: &str| json!({"command": "IceMsg", "args": [sender, text], "target": "game"});
        let sent = vec![ice(1, "a"), ice(2, "b"), ice(1, "c")];
        assert!(section(sent.clone(), vec![ice(2, "b"), ice(1, "a"), ice(1, "c")]).is_empty());
        assert!(!section(sent, vec![ice(2, "b"), ice(1, "c"), ice(1, "a")]).is_empty());
    }

    #[test]
    fn order_counts_for_messages_to_one_client() {
        let notice = |text: &str| json!({"command": "notice", "style": "info", "text": text});
        assert!(!section(vec![notice("a"), notice("b")], vec![notice("b"), notice("a")]).is_empty());
        assert_eq!(section(vec![notice("a"), end()], vec![notice("a")]), ["missing the end"]);
        assert_eq!(section(vec![], vec![notice("a")]), [r#"unexpected notice {"style":"info","text":"a"}"#]);
    }

    #[test]
    fn the_last_state_of_a_broadcast_counts() {
        assert!(section(vec![player(1, 1), player(1, 2)], vec![player(1, 2)]).is_empty());
        assert_eq!(
            section(vec![player(1, 2)], vec![player(1, 2), player(1, 1)]),
            ["player 1: player.number_of_games is 1, was 2"]
        );
        assert_eq!(section(vec![player(1, 2)], vec![]), ["missing player 1"]);
        assert_eq!(section(vec![], vec![player(7, 2)]), ["unexpected player 7"]);
    }

    #[test]
    fn a_list_is_compared_although_a_broadcast_follows() {
        let login = |listed: u64, games: u64| {
            vec![json!({"command": "welcome", "id": 1}), player(1, listed), player(1, games)]
        };
        assert!(section(login(1, 2), login(1, 2)).is_empty());
        assert_eq!(section(login(1, 2), login(3, 2)), ["player 1: player.number_of_games is 3, was 1"]);
        // Without a broadcast about anybody else, the list says the last of that player.
        let other = vec![json!({"command": "welcome", "id": 2}), player(1, 1), player(1, 1)];
        assert!(section(other.clone(), other[..2].to_vec()).is_empty());
        let games =
            |uid: u64, title: &str| json!({"command": "game_info", "games": [{"uid": uid, "title": title}]});
        let game = json!({"command": "game_info", "uid": 1, "title": "a"});
        assert_eq!(
            section(vec![games(1, "a"), game.clone()], vec![games(1, "b"), game.clone()]),
            [r#"game 1: game.title is "b", was "a""#]
        );
        // A list with an entry too many, and one of another form.
        let twice = json!({"command": "game_info", "games": [{"uid": 1}, {"uid": 1}]});
        let once = json!({"command": "game_info", "games": [{"uid": 1}]});
        assert!(!section(vec![once.clone()], vec![twice]).is_empty());
        let more = json!({"command": "game_info", "games": [{"uid": 1}], "more": 1});
        assert!(!section(vec![once], vec![more]).is_empty());
    }

    #[test]
    fn a_game_is_compared_without_the_time_of_day() {
        let game = |launched_at: Value, teams: Value| {
            json!({"command": "game_info", "uid": 1, "hosted_at": "2024-02-01T12:00:00+00:00", "launched_at": launched_at,
                   "teams_ids": teams})
        };
        let team = |id: i64, players: &[u64]| json!({"team_id": id, "player_ids": players});
        let expected = game(json!(1.5), json!([team(2, &[1, 2]), team(3, &[3])]));
        let same = game(json!(9.0), json!([team(3, &[3]), team(2, &[1, 2])]));
        assert!(section(vec![expected.clone()], vec![same]).is_empty());
        let unlaunched = game(Value::Null, json!([team(2, &[1, 2]), team(3, &[3])]));
        assert_eq!(section(vec![expected.clone()], vec![unlaunched]).len(), 1);
        // Within a team, players are in the order in which they joined.
        let turned = game(json!(1.5), json!([team(2, &[2, 1]), team(3, &[3])]));
        assert!(!section(vec![expected], vec![turned]).is_empty());
    }

    #[test]
    fn places_of_a_team_are_drawn() {
        let launch = |players: u64, position: u64| json!({"command": "game_launch", "expected_players": players, "map_position": position});
        assert!(section(vec![launch(4, 1)], vec![launch(4, 3)]).is_empty());
        assert_eq!(section(vec![launch(4, 1)], vec![launch(4, 2)]).len(), 1);
        assert_eq!(section(vec![launch(2, 1)], vec![launch(2, 3)]).len(), 1);
    }
}
