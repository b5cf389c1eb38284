//! Time from starting the program to being ready for clients, with an existing database: `cargo
//! bench -p faf-lobby --bench cold_start`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by people")]

mod installation;

use std::time::{Duration, Instant};

use faf_testkit::golden;
use installation::Installation;

const RUNS: usize = 21;

/// Maximum time until the server should be ready.
const TARGET: Duration = Duration::from_millis(300);

fn main() {
    let installation = Installation::new();
    let seeded = installation.program().arg("seed").arg(golden::seed()).output().unwrap();
    assert!(seeded.status.success());
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let begin = Instant::now();
            let server = installation.serve(&[]);
            let time = begin.elapsed();
            drop(server);
            time
        })
        .collect();
    times.sort();
    let median = times[RUNS / 2];
    println!("ready after {median:.1?} (median of {RUNS}; {:.1?} to {:.1?})", times[0], times[RUNS - 1]);
    println!("that is {:.1} times faster than the target of {TARGET:?}", TARGET.div_duration_f64(median));
}
