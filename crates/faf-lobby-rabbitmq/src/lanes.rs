//! The order of messages: a message is published when all earlier ones of the same game, and of the
//! same player, are confirmed. Others need not wait for one another.
//!
//! Confirmations come in any order, and a message that the broker refuses is published again. If
//! the next one of its game were already on its way, the two would change places.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde::Deserialize;

use crate::delivery::Outgoing;

/// Something whose messages keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Lane {
    Game(u64),
    Player(u64),
    /// Messages that name neither.
    Other,
}

/// Messages that are not confirmed.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    messages: BTreeMap<i64, Waiting>,
    /// Numbers of the messages of each lane, in their order. Only the first of a lane is published.
    lanes: HashMap<Lane, VecDeque<i64>>,
    /// Messages that are the first of all their lanes, and not published.
    ready: BTreeSet<i64>,
    /// Messages that the broker has refused.
    refused: BTreeSet<i64>,
}

#[derive(Debug)]
struct Waiting {
    message: Outgoing,
    lanes: Vec<Lane>,
    /// Number of lanes of which it is not the first message.
    blocked: usize,
}

impl Lanes {
    /// Adds a message after all that were added before, unless it has been added already.
    pub(crate) fn add(&mut self, message: Outgoing) {
        let number = message.number;
        if self.messages.contains_key(&number) {
            return;
        }
        let lanes = lanes_of(&message.body);
        let mut blocked = 0;
        for lane in &lanes {
            let queue = self.lanes.entry(*lane).or_default();
            blocked += usize::from(!queue.is_empty());
            queue.push_back(number);
        }
        if blocked == 0 {
            self.ready.insert(number);
        }
        self.messages.insert(number, Waiting { message, lanes, blocked });
    }

    /// Takes the next message to publish.
    pub(crate) fn next(&mut self) -> Option<&Outgoing> {
        let number = self.ready.pop_first()?;
        self.messages.get(&number).map(|waiting| &waiting.message)
    }

    /// The broker has confirmed a message.
    pub(crate) fn confirmed(&mut self, number: i64) {
        let Some(Waiting { lanes, .. }) = self.messages.remove(&number) else { return };
        self.ready.remove(&number);
        self.refused.remove(&number);
        for lane in lanes {
            let Some(queue) = self.lanes.get_mut(&lane) else { continue };
            if queue.front() != Some(&number) {
                queue.retain(|other| *other != number);
                continue;
            }
            queue.pop_front();
            match queue.front() {
                None => drop(self.lanes.remove(&lane)),
                Some(next) => {
                    let Some(waiting) = self.messages.get_mut(next) else { continue };
                    waiting.blocked = waiting.blocked.saturating_sub(1);
                    if waiting.blocked == 0 {
                        self.ready.insert(*next);
                    }
                }
            }
        }
    }

    /// The broker has refused a message. It and those after it in its lanes wait for
    /// [`retry`](Self::retry).
    pub(crate) fn refused(&mut self, number: i64) {
        self.refused.insert(number);
    }

    /// Refused messages may be published again.
    pub(crate) fn retry(&mut self) {
        self.ready.append(&mut self.refused);
    }

    /// No message is on its way any more: the connection is lost.
    pub(crate) fn restart(&mut self) {
        self.refused.clear();
        let first = self.messages.iter().filter(|(_, waiting)| waiting.blocked == 0);
        self.ready = first.map(|(number, _)| *number).collect();
    }
}

/// Returns the lanes of a message: its game and its player, as far as it names them.
fn lanes_of(body: &str) -> Vec<Lane> {
    #[derive(Deserialize)]
    struct Names {
        game_id: Option<u64>,
        #[serde(alias = "playerId")]
        player_id: Option<u64>,
    }
    let Ok(Names { game_id, player_id }) = serde_json::from_str(body) else { return vec![Lane::Other] };
    let lanes: Vec<_> = game_id.map(Lane::Game).into_iter().chain(player_id.map(Lane::Player)).collect();
    if lanes.is_empty() { vec![Lane::Other] } else { lanes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(bodies: &[&str]) -> Lanes {
        let mut lanes = Lanes::default();
        for (number, body) in (1..).zip(bodies) {
            lanes.add(message(number, body));
        }
        lanes
    }

    fn message(number: i64, body: &str) -> Outgoing {
        Outgoing {
            number,
            id: number.to_string(),
            routing_key: "key".to_owned(),
            body: body.to_owned(),
            is_persistent: true,
        }
    }

    fn ready(lanes: &mut Lanes) -> Vec<i64> {
        std::iter::from_fn(|| lanes.next().map(|message| message.number)).collect()
    }

    #[test]
    fn messages_of_a_game_follow_one_another() {
        let mut lanes =
            lanes(&[r#"{"game_id":1}"#, r#"{"game_id":1}"#, r#"{"game_id":2}"#, r#"{"game_id":1}"#]);
        assert_eq!(ready(&mut lanes), [1, 3]);
        lanes.confirmed(3);
        assert!(ready(&mut lanes).is_empty());
        lanes.confirmed(1);
        assert_eq!(ready(&mut lanes), [2]);
        lanes.confirmed(2);
        assert_eq!(ready(&mut lanes), [4]);
        lanes.confirmed(4);
        assert!(lanes.messages.is_empty() && lanes.lanes.is_empty());
    }

    #[test]
    fn messages_of_a_player_follow_one_another_across_games() {
        let mut lanes = lanes(&[
            r#"{"game_id":1,"player_id":5}"#,
            r#"{"game_id":2,"player_id":5}"#,
            r#"{"playerId":5}"#,
            r#"{"playerId":6}"#,
        ]);
        assert_eq!(ready(&mut lanes), [1, 4]);
        lanes.confirmed(1);
        assert_eq!(ready(&mut lanes), [2]);
        lanes.confirmed(2);
        assert_eq!(ready(&mut lanes), [3]);
    }

    #[test]
    fn refused_message_holds_up_only_its_own_lane() {
        let mut lanes =
            lanes(&[r#"{"game_id":1}"#, r#"{"game_id":1}"#, r#"{"game_id":2}"#, r#"{"game_id":2}"#]);
        assert_eq!(ready(&mut lanes), [1, 3]);
        lanes.refused(1);
        lanes.confirmed(3);
        assert_eq!(ready(&mut lanes), [4]);
        lanes.retry();
        assert_eq!(ready(&mut lanes), [1]);
        lanes.confirmed(1);
        assert_eq!(ready(&mut lanes), [2]);
    }

    #[test]
    fn after_a_lost_connection_unconfirmed_messages_begin_again() {
        let mut lanes = lanes(&[r#"{"game_id":1}"#, r#"{"game_id":1}"#, r#"{"game_id":2}"#, "{}", "[]"]);
        assert_eq!(ready(&mut lanes), [1, 3, 4]);
        lanes.confirmed(3);
        lanes.refused(4);
        lanes.restart();
        assert_eq!(ready(&mut lanes), [1, 4]);
        // One that is read from the database again keeps its place.
        lanes.add(message(2, r#"{"game_id":1}"#));
        lanes.confirmed(1);
        assert_eq!(ready(&mut lanes), [2]);
        lanes.confirmed(4);
        assert_eq!(ready(&mut lanes), [5]);
    }
}
