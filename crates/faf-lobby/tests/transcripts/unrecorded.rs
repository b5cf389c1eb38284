//! Deliberate differences from the original that no session shows. Each names tests that show it.

use std::path::Path;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unrecorded {
    difference: Vec<Difference>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    reason: String,
    /// Path relative to the folder of the crates, and name, of each test.
    shown_by: Vec<String>,
}

#[test]
fn every_unrecorded_difference_is_shown_by_a_test() {
    let Unrecorded { difference } = toml::from_str(include_str!("unrecorded.toml")).unwrap();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for Difference { reason, shown_by } in difference {
        assert!(!reason.trim().is_empty() && !shown_by.is_empty(), "{reason}");
        for test in shown_by {
            let (file, name) = test.split_once(' ').unwrap();
            let source = std::fs::read_to_string(crates.join(file)).unwrap_or_default();
            assert!(source.contains(&format!("fn {name}(")), "there is no test {test}");
        }
    }
}
