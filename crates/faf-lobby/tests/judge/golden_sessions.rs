//! The sessions of the original server, judged as if they were recordings of evenings.

use std::fmt::Write as _;

use faf_testkit::golden::sessions;

use crate::rig;

/// Findings of a session that are no differences, as it cannot be a recording, with the reasons.
const NOT_RECORDED: [(&str, &[&str], &str); 5] = [
    (
        "24_token_login",
        &[
            "missing notice {\"style\":\"error\",\"text\":\"You are banned",
            "missing the end",
            "unexpected authentication_failed",
        ],
        "nobody can tell whose token it was that a banned player has used",
    ),
    (
        "26_proxy_protocol",
        &["missing the end", "unexpected pong"],
        "a connection without its PROXY header is not recorded",
    ),
    ("30_graceful_shutdown", &[""], "a signal to the server is not recorded"),
    (
        "48_disconnect_mid_game",
        &["missing player 8"],
        "what differs in the result, which is why nobody is rated, is only in messages to other services",
    ),
    ("80_policy_server", &[""], "a request to the policy service is not recorded"),
];

#[tokio::test]
async fn the_recorded_sessions_are_equal_or_listed() {
    let wanted = std::env::var("FAF_SESSION").ok();
    let mut failures = String::new();
    for (name, transcript) in sessions::all() {
        if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        let (entries, _) = transcript.entries();
        let report = rig::judge(&rig::settings(&transcript.overrides), rig::seeded().await, entries).await;
        let exceptions: Vec<&str> = NOT_RECORDED
            .iter()
            .filter(|(session, ..)| name.contains(session))
            .flat_map(|(_, begins, _)| begins.iter().copied())
            .collect();
        let is_exception = |what: &str| exceptions.iter().any(|begin| what.starts_with(begin));
        let unexplained = || report.kinds.iter().filter(|kind| kind.reason.is_none());
        for kind in unexplained().filter(|kind| !is_exception(&kind.example.what)) {
            writeln!(failures, "{name}: {} x {}", kind.count, kind.example).unwrap();
        }
        for begin in &exceptions {
            let is_needed = unexplained().any(|kind| kind.example.what.starts_with(begin));
            assert!(is_needed, "{name} needs no exception for {begin:?}");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
