//! Time from starting the program to being ready for clients, with an existing database: `cargo bench -p faf-lobby --bench
//! cold_start`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by people")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use faf_testkit::golden;
use faf_testkit::serving::Serving;

const RUNS: usize = 21;

/// What is to be reached.
const TARGET: Duration = Duration::from_millis(300);

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
        command.current_dir(&folder).stderr(Stdio::null());
        command
    };
    let seeded = program().arg("seed").arg(golden::path("seed-data.json")).output().unwrap();
    assert!(seeded.status.success());
    let ports = ["qdatastream", "simple-json", "websocket", "http"]
        .map(|listener| format!("--{listener}=127.0.0.1:0"));
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let begin = Instant::now();
            let server = Serving::start(program().arg("serve").args(&ports));
            let time = begin.elapsed();
            drop(server);
            time
        })
        .collect();
    times.sort();
    let median = times[RUNS / 2];
    println!("ready after {median:.1?} (median of {RUNS}; {:.1?} to {:.1?})", times[0], times[RUNS - 1]);
    println!("that is {:.1} times faster than the {TARGET:?} to reach", TARGET.div_duration_f64(median));
}
