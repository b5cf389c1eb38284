//! An honest player who pings, to measure how soon the server answers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use faf_protocol::Message;
use rand::RngExt;

use super::{Actor, Cue, Cues};
use crate::speech;

/// Sends `ping` in an interval, when told to, whether the last one was answered or not.
#[derive(Debug)]
pub(crate) struct Pinger {
    interval: Duration,
    pings: bool,
    /// The message that is sent.
    ping: String,
    /// When the pings were sent that are not answered yet.
    waiting: VecDeque<Instant>,
}

impl Pinger {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, pings: false, ping: speech::PING.to_owned(), waiting: VecDeque::new() }
    }

    /// Not everybody at the same moment.
    fn begin(&mut self, cues: &mut Cues) {
        self.pings = true;
        cues.wake = Some(cues.now + self.interval.mul_f64(cues.rng.random::<f64>()));
    }
}

impl Actor for Pinger {
    fn logged_in(&mut self, cues: &mut Cues) {
        // Pings on an earlier connection will not be answered.
        self.waiting.clear();
        if self.pings {
            self.begin(cues);
        }
    }

    fn hear(&mut self, message: &Message, cues: &mut Cues) {
        if message.command().as_deref() == Some("pong")
            && let Some(sent) = self.waiting.pop_front()
        {
            cues.sample.pong.record(sent.elapsed());
        }
    }

    fn cue(&mut self, cue: Cue, cues: &mut Cues) {
        match cue {
            Cue::Ping if !self.pings => self.begin(cues),
            Cue::PingSize(bytes) => self.ping = speech::padded_ping(bytes),
            Cue::Silence => self.pings = false,
            _ => {}
        }
    }

    fn due(&mut self, cues: &mut Cues) {
        if !self.pings {
            return;
        }
        self.waiting.push_back(Instant::now());
        cues.sample.pings += 1;
        cues.say.push(self.ping.clone());
        cues.wake = Some(cues.now + self.interval);
    }
}
