//! Runs the conformance suite on all versions of FAF's schema in which something differs.

#![allow(clippy::unwrap_used, missing_docs, reason = "these are tests, which fail by panicking")]

mod common;

use common::{Fixture, block_on};
use faf_lobby_mariadb::MariaDb;
use faf_lobby_store::Upkeep;
use faf_lobby_store::seed::SeedFile;

fn run(version: u32, test: impl AsyncFnOnce(MariaDb)) {
    let store = Fixture::new(version).open();
    block_on(async {
        // The rows that every database has.
        store.plant(SeedFile::default()).await.unwrap();
        test(store).await;
    });
}

macro_rules! versions {
    ($($name:ident $version:literal),*) => { $(
        mod $name {
            fn run(test: impl AsyncFnOnce(faf_lobby_mariadb::MariaDb)) {
                super::run($version, test);
            }

            faf_testkit::conformance_tests!(super::run, #[ignore = "needs mariadbd; .ci/run runs it"]);
        }
    )* };
}

versions!(v146 146, v144 144, v143 143, v135 135, v133 133);
