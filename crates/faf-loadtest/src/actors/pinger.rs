//! An honest player who wants to know whether the server is there, and how soon it says so.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use faf_protocol::Message;

use super::{Actor, Cues};
use crate::speech::PING;

/// Sends `ping` in an interval, whether the last one was answered or not.
#[derive(Debug)]
pub(crate) struct Pinger {
    interval: Duration,
    /// When those were sent that are not answered yet.
    waiting: VecDeque<Instant>,
}

impl Pinger {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, waiting: VecDeque::new() }
    }
}

impl Actor for Pinger {
    fn logged_in(&mut self, cues: &mut Cues) {
        self.waiting.clear();
        // Not all at the same moment.
        cues.wake = Some(cues.now + self.interval.mul_f64(fastrand::f64()));
    }

    fn hear(&mut self, message: &Message, cues: &mut Cues) {
        if message.command().as_deref() == Some("pong")
            && let Some(sent) = self.waiting.pop_front()
        {
            cues.sample.pong.record(sent.elapsed());
        }
    }

    fn due(&mut self, cues: &mut Cues) {
        self.waiting.push_back(Instant::now());
        cues.say.push(PING.to_owned());
        cues.wake = Some(cues.now + self.interval);
    }
}
