//! Cores that end, hand over and take over as planned.

use faf_lobby_cluster::Nonce;

use super::rig::{LONG, MemoryBackend, Running, SHORT, TestGateway, options};
use crate::cluster::bus::{BusCommand, BusEvent};
use crate::cluster::core::CoreOptions;
use crate::cluster::questions::{Answer, AnswerContent, Question, QuestionContent};
use crate::store::Store;

#[tokio::test]
async fn leader_that_ends_hands_over_to_a_follower() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let one = Running::start(options("one", LONG), &backend, &store);
    one.leads().await;
    let two = Running::start(options("two", LONG), &backend, &store);
    two.until(|status| status.is_ready).await;
    one.until(|status| !status.followers.is_empty()).await;
    let mut gateway = TestGateway::join(&backend).await;
    let ada = gateway.log_in("Ada").await;
    one.shut_down().await;
    gateway.send(ada, r#"{"command":"ping"}"#);
    gateway.run_until(|gateway| gateway.count(ada, "pong") == 1).await;
    one.ended().await.unwrap();
    assert_eq!(two.leads().await.epoch.0, 2);
}

#[tokio::test]
async fn last_core_leaves_a_snapshot_from_which_any_core_goes_on() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let one = Running::start(options("one", LONG), &backend, &store);
    one.leads().await;
    let mut gateway = TestGateway::join(&backend).await;
    let ada = gateway.log_in("Ada").await;
    one.shut_down().await;
    one.ended().await.unwrap();
    let length = backend.nats.length() as u64;
    let position = *backend.stored().keys().next_back().unwrap();
    assert!(position > 2 && position <= length, "{position} of {length}");
    gateway.send(ada, r#"{"command":"ping"}"#);
    // A later version goes on at once, and nobody has noticed anything.
    let later = CoreOptions { version: "0.2.0".to_owned(), ..options("two", LONG) };
    let two = Running::start(later, &backend, &store);
    gateway.run_until(|gateway| gateway.count(ada, "pong") == 1).await;
    assert_eq!(two.leads().await.players, 1);
}

#[tokio::test]
async fn core_takes_over_from_one_of_its_version() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let one = Running::start(options("one", LONG), &backend, &store);
    one.leads().await;
    let two = CoreOptions { takes_over: true, ..options("two", LONG) };
    let two = Running::start(two, &backend, &store);
    two.leads().await;
    let status = one.until(|status| status.role == "follows" && status.is_ready).await;
    assert_eq!(status.leader.unwrap(), two.name);
}

#[tokio::test]
async fn core_of_another_version_waits_and_takes_over_with_the_state_of_the_leader() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let one = Running::start(options("one", LONG), &backend, &store);
    one.leads().await;
    let mut gateway = TestGateway::join(&backend).await;
    let ada = gateway.log_in("Ada").await;
    // There must be a snapshot that says which version leads.
    let snapshots = backend.stored().len();
    let later = CoreOptions { version: "0.2.0".to_owned(), takes_over: true, ..options("two", LONG) };
    let two = Running::start(later, &backend, &store);
    tokio::select! {
        status = two.leads() => assert_eq!((status.players, status.version.as_str()), (1, "0.2.0")),
        () = gateway.run_until(|_| false) => {}
    }
    assert!(backend.stored().len() > snapshots);
    gateway.send(ada, r#"{"command":"ping"}"#);
    gateway.run_until(|gateway| gateway.count(ada, "pong") == 1).await;
    // The old one does not compute along.
    one.shut_down().await;
    one.ended().await.unwrap();
}

#[tokio::test]
async fn core_of_another_version_goes_on_if_nobody_leads() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let old = CoreOptions { snapshot_every: 10, ..options("one", SHORT) };
    let one = Running::start(old, &backend, &store);
    let first = one.leads().await.position;
    one.until(|status| status.snapshot > first).await;
    one.kill().await;
    let later = CoreOptions { version: "0.2.0".to_owned(), ..options("two", SHORT) };
    let two = Running::start(later, &backend, &store);
    assert_eq!(two.leads().await.version, "0.2.0");
}

#[tokio::test]
async fn operator_asks_for_the_state_and_for_another_leader() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let one = Running::start(options("one", LONG), &backend, &store);
    one.leads().await;
    let mut bus = backend.nats.gateway();
    let mut ask = async |content: QuestionContent| {
        let question = Question::new(Nonce(getrandom::u64().unwrap()), content);
        bus.commands.send(BusCommand::ToCores(question.encode())).unwrap();
        loop {
            if let BusEvent::Message(message) = bus.events.recv().await.unwrap()
                && let Some(answer) = Answer::decode(&message, question.nonce)
            {
                return answer;
            }
        }
    };
    let refused = ask(QuestionContent::HandOver { to: None }).await;
    assert_eq!(refused, AnswerContent::Refused("no other core follows".to_owned()));
    let two = Running::start(options("two", LONG), &backend, &store);
    one.until(|status| status.followers.iter().any(|follower| follower.name == two.name)).await;
    let AnswerContent::Status(status) = ask(QuestionContent::Status).await else { panic!("it is asked") };
    assert!(status.epoch.0 == 1, "{status:?}");
    let granted = ask(QuestionContent::HandOver { to: None }).await;
    assert_eq!(granted, AnswerContent::HandingOver { to: two.name.clone() });
    two.leads().await;
}
