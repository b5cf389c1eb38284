//! Cost of checking all messages of the golden sessions, some 5000 of 227 bytes on average.

use divan::{Bencher, black_box};
use faf_contract::{Checker, Conversation, Direction};
use faf_protocol::Message;
use faf_sessions::transcript::{Record, Sent};
use faf_testkit::golden::sessions;

fn main() {
    divan::main();
}

fn messages() -> Vec<(Direction, Message)> {
    let of = |record| match record {
        Record::Send(_, Sent::Message(message)) => Some((Direction::ToServer, message)),
        Record::Receive(_, value) => {
            Some((Direction::ToClient, Message::from_value(&value).expect("it was a message")))
        }
        _ => None,
    };
    sessions::all().into_iter().flat_map(|(_, session)| session.records).filter_map(of).collect()
}

#[divan::bench]
fn members(bencher: Bencher<'_, '_>) {
    let (checker, messages) = (Checker::new(), messages());
    bencher.bench_local(|| {
        messages
            .iter()
            .map(|(direction, message)| checker.check(*direction, black_box(message)).len())
            .sum::<usize>()
    });
}

#[divan::bench]
fn times(bencher: Bencher<'_, '_>) {
    let messages = messages();
    bencher.bench_local(|| {
        let mut conversation = Conversation::default();
        let observe = |(direction, message): &(_, _)| conversation.observe(*direction, black_box(message));
        messages.iter().filter_map(observe).count()
    });
}
