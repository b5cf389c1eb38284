//! The queues of the matchmaker, as the clients of a session see them.
//!
//! Broadcasts about queues come at any time and contain any queues, so only the last state of each
//! queue counts: the players who wait in it (`golden/sessions/README.md`, rule 6).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::messages::Report;
use super::values::differences;
use super::volatile::constant_queue;

/// The last state of each queue that a client knows, by name.
#[derive(Debug, Clone, Default)]
pub struct Queues(BTreeMap<String, Value>);

impl Queues {
    /// Notes the states of queues in messages; other messages do not matter.
    pub fn take(&mut self, messages: &[Value]) {
        for (name, queue) in states(messages) {
            self.0.insert(name.to_owned(), constant_queue(queue.clone()));
        }
    }

    /// Returns the names of the queues in which players wait.
    pub fn waiting(&self) -> impl Iterator<Item = &str> {
        let waits = |queue: &Value| queue["num_players"] != 0;
        self.0.iter().filter(move |(_, queue)| waits(queue)).map(|(name, _)| name.as_str())
    }

    /// Returns the differences between the states that a client should know and those that it
    /// knows. Only a client that has asked for the queues must know those in which nobody waits.
    #[must_use]
    pub fn compare(&self, received: &Self, has_asked: bool) -> Vec<String> {
        let waits = |queue: Option<&Value>| queue.is_some_and(|queue| queue["num_players"] != 0);
        let mut findings = Vec::new();
        for name in self.0.keys().chain(received.0.keys()).collect::<BTreeSet<_>>() {
            match (self.0.get(name), received.0.get(name)) {
                (Some(expected), Some(received)) => {
                    let of_one = |finding: String| format!("queue {name}: {finding}");
                    findings.extend(differences("queue", expected, received).into_iter().map(of_one));
                }
                (expected, None) if has_asked || waits(expected) => {
                    findings.push(format!("missing queue {name}"));
                }
                (None, received) if has_asked || waits(received) => {
                    findings.push(format!("unexpected queue {name}"));
                }
                _ => {}
            }
        }
        findings
    }
}

/// Returns whether messages show that a round of a queue has been played: its next round is further
/// away than before.
#[must_use]
pub fn show_round(messages: &[Value], queue: &str) -> bool {
    let of_queue = states(messages).filter(|(name, _)| *name == queue);
    let waits: Vec<f64> = of_queue.filter_map(|(_, state)| state["queue_pop_time_delta"].as_f64()).collect();
    !waits.is_sorted_by(|before, after| before >= after)
}

/// Returns the states of queues in messages, in order.
fn states(messages: &[Value]) -> impl Iterator<Item = (&str, &Value)> {
    let lists = messages.iter().filter(|message| matches!(Report::of(message), Some(Report::Queues)));
    let queues = lists.flat_map(|message| message["queues"].as_array().into_iter().flatten());
    queues.filter_map(|queue| Some((queue["queue_name"].as_str()?, queue)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn info(name: &str, players: u64, wait: f64) -> Value {
        json!({"command": "matchmaker_info", "queues": [{"queue_name": name, "num_players": players,
               "queue_pop_time": "2024-02-01T12:00:00+00:00", "queue_pop_time_delta": wait}]})
    }

    fn queues(messages: &[Value]) -> Queues {
        let mut queues = Queues::default();
        queues.take(messages);
        queues
    }

    #[test]
    fn the_players_who_wait_last_count() {
        let expected = queues(&[info("a", 1, 3.0), info("b", 2, 3.0), info("a", 0, 2.0)]);
        assert!(expected.compare(&queues(&[info("b", 2, 7.5)]), false).is_empty());
        assert_eq!(
            expected.compare(&queues(&[info("b", 1, 3.0)]), false),
            ["queue b: queue.num_players is 1, was 2"]
        );
        assert_eq!(
            expected.compare(&queues(&[info("a", 1, 3.0)]), false),
            ["queue a: queue.num_players is 1, was 0", "missing queue b"]
        );
        let late = json!({"command": "matchmaker_info", "queues": [{"queue_name": "b", "num_players": 2,
                          "queue_pop_time": 12, "queue_pop_time_delta": 1.0}]});
        assert_eq!(expected.compare(&queues(&[late]), false).len(), 1);
        // The answer to a request has all queues.
        assert_eq!(expected.compare(&queues(&[info("b", 2, 3.0)]), true), ["missing queue a"]);
    }

    #[test]
    fn a_round_begins_a_new_wait() {
        assert!(show_round(&[info("a", 1, 0.5), info("b", 1, 0.7), info("a", 1, 0.9)], "a"));
        assert!(!show_round(&[info("a", 1, 0.5), info("b", 1, 0.7), info("a", 0, 0.4)], "a"));
        assert!(!show_round(&[], "a"));
    }
}
