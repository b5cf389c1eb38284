//! Some evenings of a cluster, and proof that its laws find errors.
//!
//! Many more are played by `cargo run -p faf-testkit --release -- simulate-cluster --seeds 500`.

use std::time::Duration;

use faf_testkit::simulation::cluster::{ClusterEvening, ClusterLaw, ClusterPlan, Sabotage};
use faf_testkit::simulation::play_many;

fn short(seed: u64) -> ClusterPlan {
    ClusterPlan { players: 6, length: Duration::from_secs(20), ..ClusterPlan::new(seed) }
}

#[test]
fn evenings_of_a_cluster_keep_the_laws() {
    let many = play_many(10, 2, |number| {
        ClusterEvening::play(short(1_000_000 + number)).map(|summary| summary.coverage)
    });
    if let Some(failure) = many.failures.first() {
        panic!("{failure}");
    }
    assert_eq!(many.evenings, 10);
}

#[test]
fn same_seed_gives_the_same_evening_of_a_cluster() {
    let evening = |seed| ClusterEvening::play(short(seed)).unwrap();
    let (first, again, other) = (evening(7), evening(7), evening(8));
    assert_eq!(first.digest, again.digest);
    assert_eq!(first.coverage, again.coverage);
    assert_ne!(first.digest, other.digest);
}

/// Checks that evenings with this error break one of these laws, and no other.
#[track_caller]
fn is_found(sabotage: Sabotage, laws: &[ClusterLaw]) {
    for seed in 1..40 {
        let plan = ClusterPlan { sabotage: Some(sabotage), ..short(seed) };
        if let Err(failure) = ClusterEvening::play(plan) {
            assert!(laws.contains(&failure.violation.law), "{sabotage:?}: {failure}");
            return;
        }
    }
    panic!("{sabotage:?} breaks no law");
}

#[test]
fn effects_that_are_performed_twice_lost_or_changed_are_found() {
    is_found(Sabotage::EffectTwice, &[ClusterLaw::ExactlyOnce]);
    is_found(Sabotage::EffectLost, &[ClusterLaw::ExactlyOnce]);
    is_found(Sabotage::EffectChanged, &[ClusterLaw::ExactlyOnce]);
}

#[test]
fn core_that_computes_something_else_is_found() {
    is_found(Sabotage::MessageSkipped, &[ClusterLaw::SameState, ClusterLaw::SameEffects]);
}

#[test]
fn leaders_of_the_past_are_found() {
    is_found(Sabotage::ClockStops, &[ClusterLaw::OneLeader]);
    is_found(Sabotage::EpochIgnored, &[ClusterLaw::NewestEpoch]);
}

#[test]
fn lost_replies_and_batches_are_found() {
    is_found(Sabotage::RepliesLost, &[ClusterLaw::EverybodyIsServed, ClusterLaw::LobbyLaws]);
    is_found(Sabotage::BatchesLost, &[ClusterLaw::EverybodyIsServed, ClusterLaw::NothingIsKept]);
}

#[test]
fn failure_tells_how_to_repeat_it() {
    let plan = ClusterPlan { sabotage: Some(Sabotage::EffectTwice), ..short(3) };
    let failure = ClusterEvening::play(plan).unwrap_err().to_string();
    assert!(failure.contains("simulate-cluster --seed 3 --players 6 --seconds 20 --trace"), "{failure}");
}
