//! An administrator who tells everybody something.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Actor, Cue, Cues};
use crate::swarm::marker::stamped;

/// Sends a message to all players again and again, when told to.
#[derive(Debug, Default)]
pub(crate) struct Announcer {
    plan: Option<Plan>,
}

#[derive(Debug)]
struct Plan {
    interval: Duration,
    size: usize,
    next: Instant,
}

impl Actor for Announcer {
    fn cue(&mut self, cue: Cue, cues: &mut Cues) {
        self.plan = match cue {
            Cue::Announce { interval, size } => Some(Plan { interval, size, next: cues.now }),
            Cue::Silence => None,
            _ => return,
        };
        self.due(cues);
    }

    fn due(&mut self, cues: &mut Cues) {
        /// Bytes of the message without the text.
        const AROUND: usize = r#"{"command":"notice","style":"info","text":""}"#.len() + 1;

        let Some(plan) = self.plan.as_mut().filter(|plan| plan.next <= cues.now) else { return };
        let text = stamped(plan.size.saturating_sub(AROUND));
        cues.say.push(json!({"command": "admin", "action": "broadcast", "message": text}).to_string());
        cues.sample.said += 1;
        // A late announcer does not catch up: a burst would be another load.
        plan.next = (plan.next + plan.interval).max(cues.now);
        cues.wake = Some(plan.next);
    }
}
