//! Messages that come late, or again, when something else has happened since.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use faf_lobby_cluster::{
    Core, CoreName, CoreOutput, CoreRole, CoreSettings, EndReason, Epoch, FORMAT, GatewayId, Link,
    LinkOutput, Nonce, Packet, PacketContent, Replica, StreamMessage, WorldId,
};
use faf_lobby_core::{Event, Settings};
use faf_testkit::lobby::BEGINNING;
use faf_testkit::store::FakeStore;

const WORLD: WorldId = WorldId(5);
const GATEWAY: GatewayId = GatewayId(7);

fn packet(content: PacketContent) -> Vec<u8> {
    Packet { faf_lobby: FORMAT, world: WORLD, epoch: Epoch(1), content }.encode()
}

/// Returns the reasons for which a new gateway ends all connections when it gets these packets.
fn ended(packets: Vec<PacketContent>) -> Vec<EndReason> {
    let mut link = Link::new("gateway", Nonce(1), Duration::ZERO);
    link.received(Duration::ZERO, &packet(PacketContent::Welcome { nonce: Nonce(1), gateway: GATEWAY }));
    for content in packets {
        link.received(Duration::ZERO, &packet(content));
    }
    let outputs = std::iter::from_fn(|| link.poll());
    outputs
        .filter_map(|output| if let LinkOutput::EndAll(reason) = output { Some(reason) } else { None })
        .collect()
}

#[test]
fn effects_that_have_come_since_are_not_lost() {
    assert_eq!(ended(vec![PacketContent::Lost { gateway: GATEWAY, first: 0 }]), []);
    let lost = PacketContent::Lost { gateway: GATEWAY, first: 1 };
    assert_eq!(ended(vec![lost]), [EndReason::EffectsLost]);
}

#[test]
fn report_from_before_a_gateway_joined_does_not_end_it() {
    let report = |newest| PacketContent::Standing { next: BTreeMap::new(), newest: GatewayId(newest) };
    assert_eq!(ended(vec![report(6)]), []);
    assert_eq!(ended(vec![report(7)]), [EndReason::GivenUp]);
}

fn replica() -> Replica {
    Replica::begin(WORLD, Settings::default(), FakeStore::default().beginning(), BEGINNING, 0)
}

/// A core with a stream that the test writes.
struct Reader {
    core: Core,
    now: Duration,
    sequence: u64,
    appended: Vec<StreamMessage>,
}

impl Reader {
    fn new() -> Self {
        let settings = CoreSettings::default();
        let core = Core::new(CoreName("own".to_owned()), "0.1.0", settings, replica(), Duration::ZERO);
        Self { core, now: Duration::ZERO, sequence: 0, appended: Vec::new() }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.core.handle_timeout(self.now);
        self.collect();
    }

    fn read(&mut self, message: &StreamMessage) {
        self.sequence += 1;
        self.core.delivered(self.now, self.sequence, BEGINNING.after(self.now), &message.encode());
        self.core.flush(self.now);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(output) = self.core.poll() {
            if let CoreOutput::Append { payload, .. } = output {
                self.appended.push(StreamMessage::decode(&payload).unwrap());
            }
        }
    }

    fn take<T>(&mut self, select: impl Fn(&StreamMessage) -> Option<T>) -> Vec<T> {
        std::mem::take(&mut self.appended).iter().filter_map(select).collect()
    }

    /// Lets time pass until the core asks to lead, and returns its message.
    fn ask_to_lead(&mut self) -> StreamMessage {
        for _ in 0..100 {
            for message in std::mem::take(&mut self.appended) {
                match message {
                    StreamMessage::Lead { .. } => return message,
                    StreamMessage::Follow { .. } => self.read(&message),
                    _ => {}
                }
            }
            self.wait(Duration::from_millis(100));
        }
        panic!("it does not ask");
    }
}

fn sign(epoch: u64, number: u64) -> StreamMessage {
    StreamMessage::Core { epoch: Epoch(epoch), number, inputs: Vec::new() }
}

fn lead(core: &str, epoch: u64, after: u64) -> StreamMessage {
    StreamMessage::Lead {
        core: CoreName(core.to_owned()),
        version: "0.1.0".to_owned(),
        epoch: Epoch(epoch),
        after,
    }
}

#[test]
fn leadership_is_not_taken_from_a_leader_that_gave_a_sign_since() {
    let mut replica = replica();
    let mut sequence = 0;
    let mut apply = |message: StreamMessage| {
        sequence += 1;
        replica.apply(sequence, BEGINNING, &message.encode());
        replica.epoch()
    };
    assert_eq!(apply(lead("one", 1, 0)), Epoch(1));
    assert_eq!(apply(sign(1, 1)), Epoch(1));
    assert_eq!(apply(lead("two", 2, 1)), Epoch(1), "it has not read the sign");
    assert_eq!(apply(lead("two", 2, 2)), Epoch(2));
}

#[test]
fn core_that_was_long_on_its_way_to_lead_waits_for_a_sign_of_its_own() {
    let mut reader = Reader::new();
    let message = reader.ask_to_lead();
    // It gives up waiting, and its message comes after all.
    reader.wait(Duration::from_secs(2));
    reader.appended.clear();
    reader.read(&message);
    assert_eq!(reader.core.role(), CoreRole::Suspended);
    reader.wait(Duration::from_millis(1));
    let signs = reader.take(|message| matches!(message, StreamMessage::Core { .. }).then(|| message.clone()));
    reader.read(&signs[0]);
    assert_eq!(reader.core.role(), CoreRole::Leading);
}

#[test]
fn sign_of_the_leader_ends_a_claim() {
    let mut reader = Reader::new();
    reader.read(&lead("other", 1, 0));
    let message = reader.ask_to_lead();
    reader.read(&sign(1, 1));
    reader.read(&message);
    assert_eq!((reader.core.role(), reader.core.replica().epoch()), (CoreRole::Following, Epoch(1)));
    // It asks again when the leader is silent again.
    let message = reader.ask_to_lead();
    reader.read(&message);
    assert_eq!(reader.core.replica().epoch(), Epoch(2));
}

#[test]
fn reports_and_batches_that_are_not_read_back_are_bounded() {
    let mut reader = Reader::new();
    for _ in 0..200 {
        reader.wait(Duration::from_millis(500));
    }
    assert_eq!(reader.core.waiting(), (64, 0));
    let mut reader = Reader::new();
    let message = reader.ask_to_lead();
    reader.read(&message);
    for _ in 0..1000 {
        reader.core.event(Event::AvatarChanged { player: faf_protocol::PlayerId(1) });
        reader.wait(Duration::from_millis(1));
        assert!(reader.core.next_timeout() > reader.now, "it would be busy without an end");
    }
    assert_eq!(reader.core.waiting().1, 128);
    // The rest goes on when there is room.
    let first = reader.take(|message| matches!(message, StreamMessage::Core { .. }).then(|| message.clone()));
    reader.read(&first[0]);
    let next = reader.take(|message| match message {
        StreamMessage::Core { inputs, .. } => Some(inputs.len()),
        _ => None,
    });
    assert_eq!(next, [1000 - 128]);
}
