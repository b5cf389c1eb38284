//! Every recorded vector of the original's wire layer, through the public API.
//!
//! If an outcome differs from the recorded one, a row of `src/differences.md` must allow that by
//! tags and outcomes, not by single vectors, and give the reason. This test fails for a difference
//! that no row allows, and, with the vectors of the repository, for a row that no longer allows
//! any.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod kind;
mod numbers;
mod outcome;
mod recorded;

use std::fmt::Write as _;

use faf_testkit::golden::{self, wire};

use kind::{Kind, Row};

#[test]
fn outcomes_are_the_recorded_ones_or_listed_differences() {
    let rows = Row::all();
    let mut is_used = vec![false; rows.len()];
    let (mut count, mut unlisted) = (0, String::new());
    for vector in wire::all() {
        count += 1;
        let (recorded, ours) = (recorded::recorded(&vector), outcome::outcome(&vector));
        if recorded == ours {
            continue;
        }
        let kind = Kind::of(&vector, &recorded, &ours);
        let mut is_listed = false;
        for (_, is_used) in rows.iter().zip(&mut is_used).filter(|(row, _)| row.allows(&vector, &kind)) {
            (is_listed, *is_used) = (true, true);
        }
        if !is_listed {
            let tags = vector.tags.join("`, `");
            writeln!(
                unlisted,
                "{}: | `{}`, `{tags}` | {} | {} |",
                vector.id, vector.op, kind.recorded, kind.here
            )
            .unwrap();
        }
    }
    assert!(unlisted.is_empty(), "no row of differences.md allows this:\n{unlisted}");
    if golden::is_own() {
        assert_eq!(count, 1034, "vectors are missing");
        let unused: Vec<_> = rows.iter().zip(is_used).filter(|(_, is_used)| !is_used).collect();
        assert!(unused.is_empty(), "these rows of differences.md allow nothing any more: {unused:?}");
    }
}
