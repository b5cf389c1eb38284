//! Runs every target of `fuzz/` with the stable compiler, over the seeds kept in `fuzz/corpus/` and
//! over random changes of them. `fuzz/run` is the thorough way, which follows the coverage.
//!
//! `FUZZ_SECONDS` is the time that each target gets for random changes. Unless it is set, each gets
//! the same few hundred every time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use faf_testkit::{chaos, decoding};
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// The longest input, as in `fuzz/run`.
const LONGEST: usize = 4096;
/// Random changes of each target without `FUZZ_SECONDS`.
const CHANGES: u32 = 300;

/// A name in `fuzz/fuzz_targets/`, and what that file calls.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 7] = [
    ("gpgnet", decoding::check_gpgnet),
    ("json", decoding::check_json),
    ("lobby", chaos::run),
    ("proxy_header", check_proxy_header),
    ("qdatastream", decoding::check_qdatastream),
    ("simple_json", decoding::check_simple_json),
    ("websocket", decoding::check_websocket),
];

fn check_proxy_header(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs nothing");
    let _ = runtime.block_on(faf_connection::proxy::read_header(&mut &*bytes));
}

#[test]
fn every_target_is_listed() {
    let mut names: Vec<String> = files(&folder("fuzz_targets"))
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    assert_eq!(names, TARGETS.map(|(name, _)| name));
}

#[test]
fn targets_pass_their_seeds_and_random_changes() {
    let seconds = env::var("FUZZ_SECONDS").ok().map(|text| text.parse().expect("FUZZ_SECONDS is a number"));
    for (name, target) in TARGETS {
        let seeds: Vec<Vec<u8>> = files(&folder("corpus").join(name))
            .iter()
            .map(|path| fs::read(path).expect("seeds can be read"))
            .collect();
        assert!(!seeds.is_empty(), "{name} has no seed");
        for seed in &seeds {
            run(name, target, seed);
        }
        // A run with a time is there to see new inputs; one without must be the same every time.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = if seconds.is_some() { now.as_nanos() as u64 } else { 1 };
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let deadline = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let mut runs = 0;
        while deadline.map_or(runs < CHANGES, |deadline| Instant::now() < deadline) {
            run(name, target, &changed(&seeds, &mut random));
            runs += 1;
        }
        println!("{name}: {} seeds, {runs} changes", seeds.len());
    }
}

/// Keeps an input that fails, so that `fuzz/run TARGET 0 FILE` and a debugger can have it.
fn run(name: &str, target: fn(&[u8]), input: &[u8]) {
    // The panic itself has been printed by then.
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        let folder = folder("artifacts").join(name);
        fs::create_dir_all(&folder).expect("artifacts can be kept");
        let path = folder.join("found-by-the-stable-runner");
        fs::write(&path, input).expect("artifacts can be kept");
        panic!("{name} fails over {}", path.display());
    }
}

/// A seed with up to four changes, as fuzzers make them.
fn changed(seeds: &[Vec<u8>], random: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    let mut input = seeds.choose(random).cloned().unwrap_or_default();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=input.len());
        let end = random.random_range(at..=input.len().min(at + 32));
        match random.random_range(0..6) {
            0 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
            // Values at which lengths and signs turn over, digits, and what delimits JSON.
            1 if at < input.len() => {
                input[at] = *b"\x00\x01\x7f\x80\xff09\"\\{}[],:\n".choose(random).unwrap_or(&0);
            }
            2 => drop(input.drain(at..end)),
            3 => {
                let repeated = input[at..end].to_vec();
                input.splice(at..at, repeated);
            }
            4 => {
                let other = seeds.choose(random).map_or(&[][..], Vec::as_slice);
                input.truncate(at);
                input.extend_from_slice(&other[random.random_range(0..=other.len())..]);
            }
            _ => {
                let noise: Vec<u8> = (0..random.random_range(1..=8)).map(|_| random.random()).collect();
                input.splice(at..at, noise);
            }
        }
    }
    input.truncate(LONGEST);
    input
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("folders can be listed").path()).collect();
    files.sort();
    files
}
