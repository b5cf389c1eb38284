//! An administrator who sends notices to all players.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Actor, ActorCommand, Context};
use crate::swarm::marker::stamped;

/// Sends a notice to all players at an interval, on command.
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
    fn on_command(&mut self, command: ActorCommand, context: &mut Context) {
        self.plan = match command {
            ActorCommand::Announce { interval, size } => Some(Plan { interval, size, next: context.now }),
            ActorCommand::Silence => None,
            _ => return,
        };
        self.due(context);
    }

    fn due(&mut self, context: &mut Context) {
        /// Size in bytes of the message without the text.
        const ENVELOPE_BYTES: usize = r#"{"command":"notice","style":"info","text":""}"#.len() + 1;

        let Some(plan) = self.plan.as_mut().filter(|plan| plan.next <= context.now) else { return };
        let text = stamped(plan.size.saturating_sub(ENVELOPE_BYTES));
        context.send.push(json!({"command": "admin", "action": "broadcast", "message": text}).to_string());
        context.sample.said += 1;
        // A late announcer does not catch up: a burst would be another load.
        plan.next = (plan.next + plan.interval).max(context.now);
        context.wake = Some(plan.next);
    }
}
