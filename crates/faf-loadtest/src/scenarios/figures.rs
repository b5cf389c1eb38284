//! All figures of the benchmarks, with tables for a document. Every run measures the floor of the
//! machine and the server in turns, so that other load on the machine affects both.
//!
//! | row | what |
//! | --- | --- |
//! | 1 | CPU time per delivered message of 1 KB, one message per write; ratio to the floor |
//! | 2 | the same with eight messages at a time; ratio to the floor, which writes them together |
//! | 3 | 1 and 2 over WebSocket; ratio to the same over TCP |
//! | 4 | memory of an idle connection, TCP and WebSocket |
//! | 5 | ping to pong during ten broadcasts per second; delivery times of the floor |
//! | 6 | logins per second with others online; duration of a storm |
//! | 7 | effect of clients that do not read on all others |
//! | 8 | CPU time per delivered message by number of clients |
//!
//! Every value is the median of the runs, with the lowest and the highest. A ratio is taken within
//! each run. Parameters that are not named here have the defaults of their scenario's flags.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command};
use serde_json::{Value, json};

use super::Scenario;
use super::broadcast::Broadcast;
use super::floor::{Floor, Write};
use super::idle::Idle;
use super::login::LoginRate;
use super::slow::Slow;
use super::storm::Storm;
use crate::options::{Format, LengthOptions, LoginMethod, RunOptions, ServerOptions, Setup, seconds, within};
use crate::report::{Report, figure, write_json};
use crate::swarm::address::Endpoint;

/// All figures of the benchmarks, with tables in Markdown
#[derive(Debug, Clone, Args)]
pub(crate) struct Figures {
    /// Program faf-lobby
    #[arg(long, value_name = "PROGRAM")]
    start: PathBuf,

    /// Additional argument for the started program
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    server_arg: Vec<String>,

    /// Another server to compare with, such as the original: its URLs, one for each wire format
    #[arg(long, value_name = "URL")]
    reference_url: Vec<Endpoint>,

    /// Process id of the other server
    #[arg(long, value_name = "NUMBER")]
    reference_pid: Option<u32>,

    /// Kind of credentials of its players
    #[arg(long, value_enum, default_value_t = LoginMethod::Token)]
    reference_login: LoginMethod,

    /// Names of its accounts; {} stands for 1, 2, 3...
    #[arg(long, value_name = "PATTERN", default_value = "player{}")]
    reference_user_pattern: String,

    /// Password of all its accounts
    #[arg(long, default_value = "")]
    reference_password: String,

    /// Number of runs
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,

    /// Use this fraction of the clients, for smaller machines and for trials
    #[arg(long, default_value_t = 1.0, value_parser = within(0.001, 10.0))]
    scale: f64,

    /// Length of each measurement, in seconds
    #[arg(long, default_value_t = 20.0, value_parser = seconds())]
    seconds: f64,

    /// Only these rows, such as 1,2
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=8))]
    only: Vec<u8>,

    /// Write the tables to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    #[command(flatten)]
    run: RunOptions,
}

/// A server that is measured.
#[derive(Debug)]
struct Subject {
    name: &'static str,
    setup: Setup,
}

/// The values of one figure, one per run.
#[derive(Debug)]
struct Series {
    row: u8,
    label: String,
    unit: &'static str,
    values: Vec<f64>,
}

/// All measured values, in order of first appearance.
#[derive(Debug, Default)]
struct Results {
    /// Rows that are wanted; all, if there are none.
    only: Vec<u8>,
    series: Vec<Series>,
}

impl Results {
    fn wants(&self, rows: &[u8]) -> bool {
        self.only.is_empty() || rows.iter().any(|row| self.only.contains(row))
    }

    /// Adds the value of a run, if the row is wanted and the value is known.
    fn add(&mut self, row: u8, label: impl Into<String>, unit: &'static str, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite() && self.wants(&[row])) else { return };
        let label = label.into();
        match self.series.iter_mut().find(|series| (series.row, &series.label) == (row, &label)) {
            Some(series) => series.values.push(value),
            None => self.series.push(Series { row, label, unit, values: vec![value] }),
        }
    }

    fn json(&self) -> Value {
        let series = self.series.iter().map(|Series { row, label, unit, values }| {
            json!({"row": row, "what": label, "unit": unit, "values": values})
        });
        Value::Array(series.collect())
    }

    fn markdown(&self) -> String {
        let mut text = String::from(
            "| row | what | median | lowest to highest | unit |\n| --: | --- | --: | --- | --- |\n",
        );
        let mut series: Vec<_> = self.series.iter().collect();
        series.sort_by_key(|series| series.row);
        for Series { row, label, unit, values } in series {
            let mut values = values.clone();
            values.sort_by(f64::total_cmp);
            // The same value twice if their number is odd.
            let median = f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]);
            let (lowest, highest) = (figure(values[0]), figure(values[values.len() - 1]));
            // Writing to a text cannot fail.
            _ = writeln!(text, "| {row} | {label} | {} | {lowest} to {highest} | {unit} |", figure(median));
        }
        text
    }
}

fn ratio(value: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(value? / to?)
}

impl Figures {
    /// The file with the tables is written after every run, so that a failure keeps the
    /// earlier runs.
    #[expect(clippy::print_stdout, reason = "the output is the product")]
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let mut results = Results { only: self.only.clone(), ..Results::default() };
        let mut text = String::new();
        for run in 1..=self.runs {
            self.run_once(&mut results)?;
            text = self.text(run, &results);
            if let Some(file) = &self.markdown {
                std::fs::write(file, &text).with_context(|| format!("cannot write {}", file.display()))?;
            }
        }
        if let Some(file) = &self.run.json {
            write_json(&results.json(), file)?;
        }
        if self.markdown.is_none() {
            print!("{text}");
        }
        Ok(())
    }

    fn text(&self, runs: u32, results: &Results) -> String {
        let (seconds, clients) = (self.seconds, self.scaled(10_000));
        let table = results.markdown();
        format!("{runs} runs of {seconds} s; {clients} clients where nothing else is said.\n\n{table}")
    }

    fn run_once(&self, results: &mut Results) -> anyhow::Result<()> {
        let all = self.scaled(10_000);
        let floor = self.floors(all, results)?;
        for subject in self.subjects() {
            let tcp = self.broadcasts_over_tcp(&subject, all, floor, results)?;
            if results.wants(&[3]) && subject.speaks(Format::Ws) {
                self.broadcasts_over_websocket(&subject, all, tcp, results)?;
            }
            if results.wants(&[4]) {
                idle(&subject, all, results)?;
            }
            if results.wants(&[6]) {
                self.logins(&subject, results)?;
            }
            if results.wants(&[7]) {
                self.slow(&subject, all, results)?;
            }
            if results.wants(&[8]) {
                for clients in [1000, 5000].map(|clients| self.scaled(clients)) {
                    let [single, _] = self.broadcast(&subject, Format::Tcp, clients)?;
                    let label = format!("{}, {clients} clients", subject.name);
                    results.add(8, label, "µs", single.number(CPU));
                }
            }
        }
        Ok(())
    }

    /// Returns the CPU time of the floor per delivery, for one message per write and for eight.
    fn floors(&self, clients: u32, results: &mut Results) -> anyhow::Result<[Option<f64>; 2]> {
        let mean =
            |[one, other]: &[Report; 2], key| Some(f64::midpoint(one.number(key)?, other.number(key)?));
        let (mut cost, mut joined_cost) = (None, None);
        if results.wants(&[1, 5, 8]) {
            let floors = self.floor(clients, 1)?;
            cost = mean(&floors, CPU);
            let row = if results.wants(&[1]) { 1 } else { 8 };
            results.add(row, "floor", "µs", cost);
            results.add(5, "floor: delivery, 99 %", "ms", mean(&floors, "delivery_p99"));
        }
        if results.wants(&[2]) {
            joined_cost = mean(&self.floor(clients, 8)?, CPU);
            results.add(2, "floor, eight joined", "µs", joined_cost);
        }
        Ok([cost, joined_cost])
    }

    /// Returns the CPU time per delivery, for one message per write and for eight, if any row
    /// needs it.
    fn broadcasts_over_tcp(
        &self,
        subject: &Subject,
        clients: u32,
        [floor, floor_joined]: [Option<f64>; 2],
        results: &mut Results,
    ) -> anyhow::Result<[Option<f64>; 2]> {
        if !results.wants(&[1, 2, 3, 5, 8]) {
            return Ok([None, None]);
        }
        let name = subject.name;
        let [single, joined] = self.broadcast(subject, Format::Tcp, clients)?;
        let (cost, joined_cost) = (single.number(CPU), joined.number(CPU));
        results.add(1, name, "µs", cost);
        results.add(1, format!("{name} / floor"), "", ratio(cost, floor));
        results.add(2, format!("{name}, eight a report"), "µs", joined_cost);
        results.add(2, format!("{name} / floor, eight"), "", ratio(joined_cost, floor_joined));
        results.add(2, format!("{name}, size of a message"), "bytes", joined.number("message_size"));
        results.add(5, format!("{name}: ping to pong, median"), "ms", single.number("pong_p50"));
        results.add(5, format!("{name}: ping to pong, 99 %"), "ms", single.number("pong_p99"));
        results.add(5, format!("{name}: delivery, 99 %"), "ms", single.number("delivery_p99"));
        results.add(8, format!("{name}, {clients} clients"), "µs", cost);
        Ok([cost, joined_cost])
    }

    fn broadcasts_over_websocket(
        &self,
        subject: &Subject,
        clients: u32,
        [tcp, tcp_joined]: [Option<f64>; 2],
        results: &mut Results,
    ) -> anyhow::Result<()> {
        let name = subject.name;
        let costs = self.broadcast(subject, Format::Ws, clients)?.each_ref().map(|report| report.number(CPU));
        let [cost, joined_cost] = costs;
        results.add(3, format!("{name}, WebSocket"), "µs", cost);
        results.add(3, format!("{name}, WebSocket / TCP"), "", ratio(cost, tcp));
        results.add(3, format!("{name}, WebSocket, eight a report"), "µs", joined_cost);
        results.add(3, format!("{name}, WebSocket / TCP, eight"), "", ratio(joined_cost, tcp_joined));
        Ok(())
    }

    /// Returns the scaled number of clients, at least one per role.
    fn scaled(&self, clients: u32) -> u32 {
        ((f64::from(clients) * self.scale) as u32).max(40)
    }

    fn length(&self) -> LengthOptions {
        LengthOptions { seconds: self.seconds, deliveries: None }
    }

    fn subjects(&self) -> Vec<Subject> {
        let own = ServerOptions {
            start: Some(self.start.clone()),
            server_arg: self.server_arg.clone(),
            ..ServerOptions::default()
        };
        let reference = ServerOptions {
            url: self.reference_url.clone(),
            pid: self.reference_pid,
            login: self.reference_login,
            user_pattern: self.reference_user_pattern.clone(),
            password: self.reference_password.clone(),
            ..ServerOptions::default()
        };
        let subject = |(name, server)| Subject { name, setup: Setup { server, run: self.run.clone() } };
        let count = if self.reference_url.is_empty() { 1 } else { 2 };
        [("faf-lobby", own), ("reference", reference)].map(subject).into_iter().take(count).collect()
    }

    /// Measures twice, each time in a new process, because the result depends on where its memory
    /// happens to be. The mean counts.
    fn floor(&self, clients: u32, joined: u32) -> anyhow::Result<[Report; 2]> {
        let single = Floor { clients, length: self.length(), run: self.run.clone(), ..defaults() };
        let floor = match joined {
            1 => single,
            _ => {
                Floor { joined, write: Write::Joined, rate: 1.0 / REPORT_INTERVAL, size: GAME_INFO, ..single }
            }
        };
        Ok([floor.run()?, floor.run()?])
    }

    /// Measures one message per write, and eight per report, with the same clients.
    fn broadcast(&self, subject: &Subject, format: Format, clients: u32) -> anyhow::Result<[Report; 2]> {
        let (report_interval, length) = (REPORT_INTERVAL, self.length());
        let joined = Broadcast { clients, joined: 8, report_interval, length, ..defaults() };
        let single = Broadcast { joined: 1, ..joined.clone() };
        let mut harness = joined.online(&subject.speaking(format))?;
        let single = single.measure(&mut harness)?;
        harness.settle()?;
        let mut joined = joined.measure(&mut harness)?;
        harness.finish(&mut joined);
        Ok([single, joined])
    }

    fn logins(&self, subject: &Subject, results: &mut Results) -> anyhow::Result<()> {
        let name = subject.name;
        let (online, clients) = (self.scaled(2000), self.scaled(5000));
        let setup = subject.speaking(Format::Tcp);
        let rate = LoginRate { online, seconds: self.seconds, ..defaults() }.run(&setup)?;
        let label = format!("{name}: logins a second with {online} online");
        results.add(6, label, "/s", rate.number("logins_per_second"));
        let storm = Storm { clients, ..defaults() }.run(&setup)?;
        let label = format!("{name}: storm of {clients}");
        results.add(6, format!("{label}, half are back after"), "s", storm.number("half"));
        results.add(6, format!("{label}, all are back after"), "s", storm.number("last"));
        results.add(6, format!("{label}: ping to pong, 99 %"), "ms", storm.number("pong_p99"));
        Ok(())
    }

    fn slow(&self, subject: &Subject, clients: u32, results: &mut Results) -> anyhow::Result<()> {
        let name = subject.name;
        let slow = Slow { clients, length: self.length(), ..defaults() };
        let slow = slow.run(&subject.speaking(Format::Tcp))?;
        let [before, after] = ["read_delivery_p99", "stalled_delivery_p99"].map(|key| slow.number(key));
        results.add(7, format!("{name}: delivery, 99 %, everybody reads"), "ms", before);
        results.add(7, format!("{name}: delivery, 99 %, one in a hundred does not"), "ms", after);
        let change = ratio(after, before).map(|ratio| (ratio - 1.0) * 100.0);
        results.add(7, format!("{name}: change"), "%", change);
        Ok(())
    }
}

fn idle(subject: &Subject, clients: u32, results: &mut Results) -> anyhow::Result<()> {
    for (format, label) in [(Format::Tcp, "TCP"), (Format::Ws, "WebSocket")] {
        if subject.speaks(format) {
            let idle = Idle { clients, seconds: 0.0, ..defaults() }.run(&subject.speaking(format))?;
            results.add(4, format!("{}, {label}", subject.name), "KiB", idle.number("user_memory"));
        }
    }
    Ok(())
}

/// Returns a scenario with the defaults of its flags.
fn defaults<S: Args>() -> S {
    // Some flags refer to those of the server.
    let command = ServerOptions::augment_args(S::augment_args(Command::new("defaults")));
    let matches = command.get_matches_from(["defaults", "--start=faf-lobby"]);
    S::from_arg_matches(&matches).expect("every flag of a scenario has a default")
}

/// Size of the largest `game_info` that a host can cause, in bytes.
const GAME_INFO: usize = 945;

/// Seconds between reports. More than 200 ms, after which receivers treat data as the begin of a
/// new exchange and acknowledge it at once. At about 200 ms it would be chance whether they do,
/// which costs the sender a third of a write.
const REPORT_INTERVAL: f64 = 0.25;

/// Key of the CPU time per delivery.
const CPU: &str = "cpu_per_delivery";

impl Subject {
    fn speaking(&self, format: Format) -> Setup {
        let mut setup = self.setup.clone();
        setup.server.format = Some(format);
        setup
    }

    /// Returns whether the server speaks this format; a started server speaks all.
    fn speaks(&self, format: Format) -> bool {
        let ServerOptions { start, url, .. } = &self.setup.server;
        start.is_some() || url.iter().any(|url| format.wire_formats().contains(&url.format()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_have_defaults() {
        assert_eq!((defaults::<Broadcast>().joined, defaults::<Floor>().joined), (1, 1));
        assert_eq!((defaults::<Slow>().clients, defaults::<Storm>().clients), (1000, 1000));
        assert_eq!((defaults::<LoginRate>().logins, defaults::<Idle>().clients), (None, 1000));
    }

    #[test]
    fn a_series_is_reported_by_its_median() {
        let mut results = Results::default();
        for value in [3.0, 1.0, 2.0] {
            results.add(2, "second", "µs", Some(value));
        }
        results.add(1, "first", "", Some(1.5));
        results.add(1, "unknown", "", None);
        results.add(1, "no ratio", "", ratio(Some(1.0), Some(0.0)));
        results.only = vec![1];
        results.add(2, "not wanted", "", Some(1.0));
        let markdown = results.markdown();
        let rows: Vec<_> = markdown.lines().skip(2).collect();
        assert_eq!(rows, ["| 1 | first | 1.50 | 1.50 to 1.50 |  |", "| 2 | second | 2 | 1 to 3 | µs |"]);
    }
}
