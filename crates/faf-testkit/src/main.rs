//! Plays evenings of a lobby in simulated time and checks all laws, creates another golden set, or
//! draws an evening of searches.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command-line tool")]

use std::fmt::Display;
use std::io::{BufWriter, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use faf_testkit::golden::renaming;
use faf_testkit::population::{self, Population};
use faf_testkit::simulation::cluster::{self, ClusterEvening, ClusterPlan};
use faf_testkit::simulation::{EXPECTED, Evening, Many, Plan, play_many, run_many};

const USAGE: &str = "\
Plays whole evenings of the lobby in simulated time, and checks all laws.

    faf-testkit simulate --seeds N [--from SEED]    plays the evenings of N seeds
    faf-testkit simulate --seed SEED [--trace]      plays one evening and prints all its events

    faf-testkit simulate-cluster --seeds N [--from SEED]    plays evenings of a cluster
    faf-testkit simulate-cluster --seed SEED [--trace]      plays one of them and prints its events

    faf-testkit rename-golden FOLDER                writes a golden set with other names, numbers and files, for FAF_GOLDEN

    faf-testkit population [OPTION...] > FILE       draws searches for `faf-lobby matchmaking replay FILE`

Options of `simulate`:

    --players P    number of players; default 100
    --minutes M    minutes they play; default 15
    --seconds S    the same in seconds; default for a cluster: 60, with 8 players
    --threads T    evenings played in parallel; default: number of processors

Exit code: 0 if all laws hold; 1 if a law is broken, or if an expected event never happened in 500
evenings or more; 2 if the arguments are wrong.
";

/// Number of evenings from which on every expected event must have happened.
const FULL_COVERAGE_EVENINGS: u64 = 500;

struct Orders {
    /// Whether evenings of a cluster are played.
    is_cluster: bool,
    plan: Plan,
    /// Number of evenings; `None` for a single one.
    seeds: Option<u64>,
    threads: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, folder] = &arguments[..]
        && command == "rename-golden"
    {
        return match renaming::write(Path::new(folder)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{folder}: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let done = match &arguments[..] {
        [command, options @ ..] if command == "population" => {
            Population::read(options).map(|population| draw(&population))
        }
        _ => read(&arguments).map(|orders| simulate(&orders)),
    };
    done.unwrap_or_else(|complaint| {
        eprintln!("{complaint}\n\n{USAGE}\nOptions of `population`:\n\n{}", population::OPTIONS);
        ExitCode::from(2)
    })
}

/// Draws an evening of searches to standard output.
fn draw(population: &Population) -> ExitCode {
    match population.draw().write(BufWriter::new(stdout().lock())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn read(arguments: &[String]) -> Result<Orders, String> {
    let mut arguments = arguments.iter();
    let (is_cluster, plan) = match arguments.next().map(String::as_str) {
        Some("simulate") => (false, Plan::new(1)),
        Some("simulate-cluster") => {
            let ClusterPlan { players, length, .. } = ClusterPlan::new(1);
            (true, Plan { players, length, ..Plan::new(1) })
        }
        other => return Err(format!("unknown command: {}", other.unwrap_or_default())),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut orders = Orders { is_cluster, plan, seeds: Some(FULL_COVERAGE_EVENINGS), threads };
    while let Some(argument) = arguments.next() {
        if argument == "--trace" {
            orders.plan.is_traced = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a number"))?;
        let number: u64 = value.parse().map_err(|error| format!("{argument} {value}: {error}"))?;
        match argument.as_str() {
            "--seeds" => orders.seeds = Some(number),
            "--from" => orders.plan.seed = number,
            "--seed" => (orders.plan.seed, orders.seeds) = (number, None),
            "--players" => orders.plan.players = number as usize,
            "--seconds" => orders.plan.length = Duration::from_secs(number),
            "--minutes" => orders.plan.length = Duration::from_secs(number * 60),
            "--threads" => orders.threads = number as usize,
            other => return Err(format!("unknown option: {other}")),
        }
    }
    Ok(orders)
}

fn simulate(orders: &Orders) -> ExitCode {
    let started = Instant::now();
    let Plan { seed, players, length, is_traced, .. } = orders.plan;
    let plan = ClusterPlan { players, length, is_traced, ..ClusterPlan::new(seed) };
    match orders.seeds {
        None if orders.is_cluster => simulate_one_cluster(plan),
        None => simulate_one(orders.plan),
        Some(seeds) if orders.is_cluster => {
            let many = play_many(seeds, orders.threads, |number| {
                let plan = ClusterPlan { seed: seed.wrapping_add(number), is_traced: false, ..plan };
                ClusterEvening::play(plan).map(|summary| summary.coverage)
            });
            report(started, &many, &cluster::EXPECTED)
        }
        Some(seeds) => {
            let many = run_many(Plan { is_traced: false, ..orders.plan }, seeds, orders.threads);
            report(started, &many, &EXPECTED)
        }
    }
}

/// Prints the result of many evenings.
fn report<F: Display>(started: Instant, many: &Many<F>, expected: &[&'static str]) -> ExitCode {
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", many.coverage.list(expected));
    println!(
        "{} evenings in {seconds:.1} s, {:.1} a second",
        many.evenings,
        many.evenings as f64 / seconds.max(1e-3)
    );
    for failure in &many.failures {
        println!("\n{failure}");
    }
    let missing = many.coverage.missing_of(expected);
    if many.failures.is_empty() && many.evenings >= FULL_COVERAGE_EVENINGS && !missing.is_empty() {
        println!("These never happened: {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    if many.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn simulate_one_cluster(plan: ClusterPlan) -> ExitCode {
    match ClusterEvening::play(plan) {
        Ok(summary) => {
            if plan.is_traced {
                println!("{}", summary.lines.join("\n"));
            }
            let counts = summary.coverage.list(&cluster::EXPECTED);
            println!("{counts}\nAll laws hold. Digest of all inputs and effects: {:016x}", summary.digest);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn simulate_one(plan: Plan) -> ExitCode {
    match Evening::play(Plan { is_digested: true, ..plan }) {
        Ok(summary) => {
            if plan.is_traced {
                println!("{}", summary.lines.join("\n"));
            }
            println!("{}\nAll laws hold. Digest of all effects: {:016x}", summary.coverage, summary.digest);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}
