//! A small cluster on a perfect network: what happens when its leader ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use faf_lobby_cluster::{
    Core, CoreName, CoreOutput, CoreRole, CoreSettings, EndReason, Epoch, GatewayEffect, Link, LinkOutput,
    Nonce, Replica, Snapshot, StreamMessage, WorldId,
};
use faf_lobby_core::{Audience, ConnId, Event, Settings, Timestamp};
use faf_protocol::{ClientMessage, Country, Encode, Limits, Message, ServerMessage, SessionNumber};
use faf_testkit::lobby::BEGINNING;
use faf_testkit::store::FakeStore;

/// Two cores and two gateways, a stream and a store. Everything that is sent arrives at once.
struct Cluster {
    now: Duration,
    stream: Vec<(Timestamp, Vec<u8>)>,
    store: FakeStore,
    cores: Vec<Running>,
    links: Vec<Link>,
    /// The messages that clients were sent: the names of messages, by connection.
    sent: BTreeMap<ConnId, Vec<String>>,
    ended: Vec<EndReason>,
    /// Whether packets of cores are lost.
    loses_packets: bool,
}

struct Running {
    core: Core,
    position: usize,
    is_stopped: bool,
}

impl Cluster {
    fn new() -> Self {
        let store = FakeStore::with_accounts(["Ada", "Bob"]);
        let mut cluster = Self {
            now: Duration::ZERO,
            stream: Vec::new(),
            store,
            cores: Vec::new(),
            links: Vec::new(),
            sent: BTreeMap::new(),
            ended: Vec::new(),
            loses_packets: false,
        };
        for name in ["one", "two"] {
            let world = WorldId(5);
            let replica = Replica::begin(world, Settings::default(), cluster.store.beginning(), BEGINNING, 0);
            cluster.start(name, replica);
        }
        for number in [1, 2] {
            cluster.links.push(Link::new("gateway", Nonce(number), cluster.now));
        }
        cluster.run_for(Duration::from_secs(1));
        cluster
    }

    fn start(&mut self, name: &str, replica: Replica) {
        let position = usize::try_from(replica.position()).unwrap();
        let core = Core::new(CoreName(name.to_owned()), "0.1.0", CoreSettings::default(), replica, self.now);
        self.cores.push(Running { core, position, is_stopped: false });
    }

    fn utc(&self) -> Timestamp {
        BEGINNING.after(self.now)
    }

    fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now += Duration::from_millis(10);
            self.settle();
        }
    }

    /// Delivers everything until nothing is left to do at this time.
    fn settle(&mut self) {
        loop {
            let mut is_idle = true;
            for at in 0..self.cores.len() {
                is_idle &= self.run_core(at);
            }
            for at in 0..self.links.len() {
                is_idle &= self.run_link(at);
            }
            if is_idle {
                return;
            }
        }
    }

    fn run_core(&mut self, at: usize) -> bool {
        let Running { core, position, is_stopped } = &mut self.cores[at];
        if *is_stopped {
            return true;
        }
        while *position < self.stream.len() {
            let (utc, payload) = &self.stream[*position];
            *position += 1;
            core.delivered(self.now, *position as u64, *utc, payload);
        }
        if core.next_timeout() <= self.now {
            core.handle_timeout(self.now);
        }
        core.flush(self.now);
        let outputs: Vec<CoreOutput> = std::iter::from_fn(|| core.poll()).collect();
        let is_idle = outputs.is_empty();
        for output in outputs {
            match output {
                CoreOutput::Append { payload, .. } => self.stream.push((self.utc(), payload)),
                CoreOutput::ToAll(packet) | CoreOutput::ToGateway(_, packet) if !self.loses_packets => {
                    self.links.iter_mut().for_each(|link| link.received(self.now, &packet));
                }
                CoreOutput::Perform { request, .. } => {
                    let reply = self.store.perform(request);
                    self.cores[at].core.replied(reply);
                }
                CoreOutput::Diverged(divergence) => panic!("{divergence:?}"),
                _ => {}
            }
        }
        is_idle
    }

    fn run_link(&mut self, at: usize) -> bool {
        let link = &mut self.links[at];
        if link.next_timeout() <= self.now {
            link.handle_timeout(self.now);
        }
        link.flush(self.now);
        let outputs: Vec<LinkOutput> = std::iter::from_fn(|| link.poll()).collect();
        let is_idle = outputs.is_empty();
        for output in outputs {
            match output {
                LinkOutput::Append { number, payload, .. } => {
                    self.stream.push((self.utc(), payload.to_vec()));
                    number.into_iter().for_each(|number| self.links[at].acknowledged(number));
                }
                LinkOutput::Ask(question) => {
                    self.cores.iter_mut().filter(|running| !running.is_stopped).for_each(|running| {
                        running.core.asked(self.now, &question);
                    });
                }
                LinkOutput::Perform(effect) => match *effect {
                    GatewayEffect::Send { to, message } => {
                        let name = name(&message);
                        match to.into() {
                            Audience::One(conn) => {
                                self.sent.entry(conn).or_default().push(name);
                            }
                            _ => self.sent.values_mut().for_each(|sent| sent.push(name.clone())),
                        }
                    }
                    GatewayEffect::SendList { conn, message, .. } => {
                        self.sent.entry(conn).or_default().push(name(&message.expect("the link adds it")));
                    }
                    _ => {}
                },
                LinkOutput::EndAll(reason) => self.ended.push(reason),
                LinkOutput::Joined(_) | LinkOutput::Left => {}
            }
        }
        is_idle
    }

    fn leaders(&self) -> Vec<&str> {
        let running = self.cores.iter().filter(|running| !running.is_stopped);
        running
            .filter(|running| running.core.role() == CoreRole::Leading)
            .map(|running| running.core.name().0.as_str())
            .collect()
    }

    fn log_in(&mut self, link: usize, login: &str) -> ConnId {
        let conn = self.links[link].gateway().expect("it has joined").connection(1);
        let session = SessionNumber(7);
        self.links[link].push(&Event::Connected { conn, address: None, country: Country::UNKNOWN, session });
        self.send(link, conn, r#"{"command":"ask_session","user_agent":"x","version":"1"}"#);
        self.send(
            link,
            conn,
            &format!(r#"{{"command":"hello","login":"{login}","password":"{login}-pw","unique_id":"","session":7}}"#),
        );
        self.run_for(Duration::from_secs(1));
        assert!(self.sent[&conn].contains(&"welcome".to_owned()), "{:?}", self.sent);
        conn
    }

    fn send(&mut self, link: usize, conn: ConnId, text: &str) {
        let message = Message::parse_text(text, &Limits::default()).unwrap();
        self.links[link].push(&Event::Received { conn, message: ClientMessage::read(message) });
    }
}

fn name(message: &ServerMessage) -> String {
    let mut text = Vec::new();
    message.write_json(&mut text).unwrap();
    let message = Message::parse_text(std::str::from_utf8(&text).unwrap(), &Limits::default()).unwrap();
    message.command().unwrap().into_owned()
}

fn count(names: &[String], name: &str) -> usize {
    names.iter().filter(|one| *one == name).count()
}

#[test]
fn players_of_two_gateways_see_each_other() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.leaders(), ["one"]);
    let ada = cluster.log_in(0, "Ada");
    let before = count(&cluster.sent[&ada], "player_info");
    cluster.log_in(1, "Bob");
    assert!(count(&cluster.sent[&ada], "player_info") > before);
}

#[test]
fn follower_leads_when_the_leader_is_silent_and_nobody_notices() {
    let mut cluster = Cluster::new();
    let ada = cluster.log_in(0, "Ada");
    // The leader ends after a message is in the stream, and before the answer is sent.
    cluster.loses_packets = true;
    cluster.send(0, ada, r#"{"command":"ping"}"#);
    cluster.settle();
    assert_eq!(count(&cluster.sent[&ada], "pong"), 0);
    cluster.cores[0].is_stopped = true;
    cluster.loses_packets = false;
    cluster.run_for(Duration::from_millis(1900));
    assert!(cluster.leaders().is_empty(), "the lease is not over");
    cluster.run_for(Duration::from_millis(600));
    assert_eq!(cluster.leaders(), ["two"]);
    assert_eq!(cluster.cores[1].core.replica().epoch(), Epoch(2));
    assert_eq!(count(&cluster.sent[&ada], "pong"), 1, "the missing effect is sent, once");
    cluster.log_in(1, "Bob");
    assert_eq!(cluster.ended, []);
    // The old leader comes back, reads on, and follows.
    cluster.cores[0].is_stopped = false;
    cluster.run_for(Duration::from_secs(1));
    assert_eq!(cluster.leaders(), ["two"]);
    assert_eq!(count(&cluster.sent[&ada], "pong"), 1);
    let [one, two] = [0, 1].map(|at| cluster.cores[at].core.replica().state_parts());
    assert_eq!(one, two);
}

#[test]
fn planned_takeover_takes_no_lease_time() {
    let mut cluster = Cluster::new();
    let ada = cluster.log_in(0, "Ada");
    assert!(cluster.cores[0].core.transfer_leadership(Some(CoreName("two".to_owned()))));
    cluster.send(0, ada, r#"{"command":"ping"}"#);
    cluster.settle();
    assert_eq!(cluster.leaders(), ["two"]);
    cluster.run_for(Duration::from_millis(30));
    assert_eq!(count(&cluster.sent[&ada], "pong"), 1);
}

#[test]
fn core_goes_on_from_a_snapshot() {
    let mut cluster = Cluster::new();
    let ada = cluster.log_in(0, "Ada");
    let snapshot = Snapshot::encode(cluster.cores[1].core.replica(), "0.1.0", 1);
    cluster.log_in(1, "Bob");
    cluster.cores[1].is_stopped = true;
    let replica = Snapshot::decode(&snapshot).unwrap().replica;
    cluster.start("three", replica);
    cluster.run_for(Duration::from_secs(1));
    assert_eq!(cluster.cores[2].core.replica().state_parts(), cluster.cores[0].core.replica().state_parts());
    cluster.cores[0].is_stopped = true;
    cluster.run_for(Duration::from_secs(3));
    assert_eq!(cluster.leaders(), ["three"]);
    cluster.send(0, ada, r#"{"command":"ping"}"#);
    cluster.run_for(Duration::from_millis(100));
    assert_eq!(count(&cluster.sent[&ada], "pong"), 1);
}

#[test]
fn connections_of_a_gateway_that_is_silent_end() {
    let mut cluster = Cluster::new();
    cluster.log_in(0, "Ada");
    cluster.log_in(1, "Bob");
    let silent = cluster.links.remove(0);
    cluster.run_for(Duration::from_secs(50));
    assert_eq!(cluster.cores[0].core.replica().world().player_count(), 1);
    assert_eq!(cluster.cores[0].core.replica().gateways().count(), 1);
    // It is told that it was given up, and its clients go elsewhere.
    cluster.links.push(silent);
    cluster.run_for(Duration::from_secs(1));
    assert!(matches!(cluster.ended[..], [EndReason::OutOfTouch | EndReason::GivenUp]), "{:?}", cluster.ended);
}

#[test]
fn leader_without_a_stream_appends_no_more_than_replicas_take() {
    let mut cluster = Cluster::new();
    let core = &mut cluster.cores[0].core;
    let mut appended = 0;
    for millisecond in (0..600_000).step_by(100) {
        let now = cluster.now + Duration::from_millis(millisecond);
        core.event(Event::Kicked { player: faf_protocol::PlayerId(1), reason: String::new() });
        core.flush(now);
        core.handle_timeout(now);
        // The loop of a core sleeps until then.
        assert!(core.next_timeout() > now, "it does not wait");
        appended += std::iter::from_fn(|| core.poll())
            .filter(|output| matches!(output, CoreOutput::Append { must_be_stored: true, .. }))
            .count();
    }
    assert_eq!(appended, 128);
}

#[test]
fn world_that_is_not_the_first_to_be_stored_ends_and_is_never_led() {
    let mut cluster = Cluster::new();
    let begin =
        |world: u64, is_stored: bool| StreamMessage::<Event>::Begin { world: WorldId(world), is_stored };
    let replica = |world: u64| {
        let store = FakeStore::with_accounts(["Ada"]);
        Replica::begin(WorldId(world), Settings::default(), store.beginning(), BEGINNING, 0).unsettled()
    };
    cluster.cores.clear();
    cluster.stream.clear();
    cluster.start("one", replica(1));
    cluster.start("two", replica(2));
    for message in [begin(2, false), begin(1, false), begin(1, true)] {
        let utc = cluster.utc();
        cluster.stream.push((utc, message.encode()));
    }
    cluster.run_for(Duration::from_secs(1));
    assert_eq!(cluster.leaders(), ["one"]);
    assert_eq!(cluster.cores[1].core.role(), CoreRole::Ended);
}
