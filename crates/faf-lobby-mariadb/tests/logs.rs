//! Operators are told once that the database is away, and once that it is back.

#![allow(clippy::unwrap_used, missing_docs, reason = "these are tests, which fail by panicking")]

mod common;

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Fixture, block_on, put};
use faf_lobby_store::{Profiles, Upkeep};
use faf_protocol::PlayerId;
use faf_testkit::services::mariadb::MariaServer;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Lines of the log, from information upwards.
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Log;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with("faf_")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LOG.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn logged() -> Vec<String> {
    std::mem::take(&mut LOG.lock().unwrap())
}

#[test]
#[ignore = "needs mariadbd; .ci/run runs it"]
fn faults_are_logged_once_and_values_never() {
    tracing::subscriber::set_global_default(Log).unwrap();
    let server = Arc::new(MariaServer::start(&[]));
    let mut fixture = Fixture::on(&server, 146);
    fixture.options.query_timeout = Duration::from_secs(5);
    block_on(async {
        let (store, game) = fixture.open_with_game().await;
        logged();
        server.kill();
        for _ in 0..20 {
            store.profile(PlayerId(1)).await.unwrap_err();
            store.beat().await.unwrap_err();
            put(&store, game.id, game.save()).await.unwrap_err();
        }
        let lines = logged();
        assert!(!lines.is_empty() && lines.len() <= 2, "{lines:#?}");
        assert!(
            lines.iter().all(|line| line.starts_with("ERROR") && line.contains("cannot be used")),
            "{lines:#?}"
        );
        server.restart();
        while store.is_unavailable() {
            let _ = (store.profile(PlayerId(1)).await, put(&store, game.id, game.save()).await);
        }
        let lines = logged();
        assert!(matches!(&lines[..], [line] if line.contains("can be used again")), "{lines:#?}");

        let mut other = fixture.database.other_program();
        other.run("BEGIN; SELECT * FROM game_stats WHERE id = 1 FOR UPDATE");
        let held = tokio::task::spawn_blocking(move || other.run("DO SLEEP(1.3); COMMIT"));
        put(&store, game.id, game.save()).await.unwrap();
        held.await.unwrap();
        let lines = logged();
        let [line] = &lines[..] else { panic!("{lines:#?}") };
        assert!(
            line.contains("is slow") && line.contains(r#"family="games""#) && !line.contains("Ada"),
            "{line}"
        );
    });
}
