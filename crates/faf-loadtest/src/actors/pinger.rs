//! An honest player who pings, to measure the time until the server answers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use faf_protocol::Message;
use rand::RngExt;

use super::{Actor, ActorCommand, Context};
use crate::messages;

/// Sends `ping` at an interval, on command, whether the last one was answered or not.
#[derive(Debug)]
pub(crate) struct Pinger {
    interval: Duration,
    pings: bool,
    /// Message to send.
    ping: String,
    /// Times of the pings that are not answered yet.
    waiting: VecDeque<Instant>,
}

impl Pinger {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, pings: false, ping: messages::PING.to_owned(), waiting: VecDeque::new() }
    }

    /// Starts at a random moment of the interval, so that not all players ping at the same time.
    fn begin(&mut self, context: &mut Context) {
        self.pings = true;
        context.wake = Some(context.now + self.interval.mul_f64(context.rng.random::<f64>()));
    }
}

impl Actor for Pinger {
    fn logged_in(&mut self, context: &mut Context) {
        // Pings on an earlier connection will not be answered.
        self.waiting.clear();
        if self.pings {
            self.begin(context);
        }
    }

    fn receive(&mut self, message: &Message, context: &mut Context) {
        if message.command().as_deref() == Some("pong")
            && let Some(sent) = self.waiting.pop_front()
        {
            context.sample.pong.record(sent.elapsed());
        }
    }

    fn on_command(&mut self, command: ActorCommand, context: &mut Context) {
        match command {
            ActorCommand::Ping if !self.pings => self.begin(context),
            ActorCommand::PingSize(bytes) => self.ping = messages::padded_ping(bytes),
            ActorCommand::Silence => self.pings = false,
            _ => {}
        }
    }

    fn due(&mut self, context: &mut Context) {
        if !self.pings {
            return;
        }
        self.waiting.push_back(Instant::now());
        context.sample.pings += 1;
        context.send.push(self.ping.clone());
        context.wake = Some(context.now + self.interval);
    }
}
