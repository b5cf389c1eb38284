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
//! each run.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::broadcast::Broadcast;
use super::floor::{Floor, Write};
use super::idle::Idle;
use super::login::LoginRate;
use super::slow::{Part, Slow};
use super::storm::Storm;
use crate::harness::Harness;
use crate::options::{Format, LengthOptions, LoginMethod, RunOptions, ServerOptions, seconds, within};
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
    server: ServerOptions,
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
struct Results(Vec<Series>);

impl Results {
    fn add(&mut self, row: u8, label: String, unit: &'static str, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        match self.0.iter_mut().find(|series| (series.row, &series.label) == (row, &label)) {
            Some(series) => series.values.push(value),
            None => self.0.push(Series { row, label, unit, values: vec![value] }),
        }
    }

    fn json(&self) -> Value {
        let series = self.0.iter().map(|Series { row, label, unit, values }| {
            json!({"row": row, "what": label, "unit": unit, "values": values})
        });
        Value::Array(series.collect())
    }

    fn markdown(&self) -> String {
        let mut text = String::from(
            "| row | what | median | lowest to highest | unit |\n| --: | --- | --: | --- | --- |\n",
        );
        let mut series: Vec<_> = self.0.iter().collect();
        series.sort_by_key(|series| series.row);
        for Series { row, label, unit, values } in series {
            let mut values = values.clone();
            values.sort_by(f64::total_cmp);
            let middle = values.len() / 2;
            let median = if values.len().is_multiple_of(2) {
                f64::midpoint(values[middle - 1], values[middle])
            } else {
                values[middle]
            };
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
        let mut results = Results::default();
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
            if self.wants(&[3]) && has(&subject.server, Format::Ws) {
                self.broadcasts_over_websocket(&subject, all, tcp, results)?;
            }
            if self.wants(&[4]) {
                self.idle(&subject, all, results)?;
            }
            if self.wants(&[6]) {
                self.logins(&subject, results)?;
            }
            if self.wants(&[7]) {
                self.slow(&subject, all, results)?;
            }
            if self.wants(&[8]) {
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
        if self.wants(&[1, 5, 8]) {
            let floors = self.floor(clients, 1)?;
            cost = mean(&floors, CPU);
            if self.wants(&[1, 8]) {
                results.add(1, "floor".to_owned(), "µs", cost);
            }
            if self.wants(&[5]) {
                results.add(5, "floor: delivery, 99 %".to_owned(), "ms", mean(&floors, "delivery_p99"));
            }
        }
        if self.wants(&[2]) {
            joined_cost = mean(&self.floor(clients, 8)?, CPU);
            results.add(2, "floor, eight joined".to_owned(), "µs", joined_cost);
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
        if !self.wants(&[1, 2, 3, 5, 8]) {
            return Ok([None, None]);
        }
        let name = subject.name;
        let [single, joined] = self.broadcast(subject, Format::Tcp, clients)?;
        let (cost, joined_cost) = (single.number(CPU), joined.number(CPU));
        if self.wants(&[1]) {
            results.add(1, name.to_owned(), "µs", cost);
            results.add(1, format!("{name} / floor"), "", ratio(cost, floor));
        }
        if self.wants(&[2]) {
            results.add(2, format!("{name}, eight a report"), "µs", joined_cost);
            results.add(2, format!("{name} / floor, eight"), "", ratio(joined_cost, floor_joined));
            let size = joined.number("message_size");
            results.add(2, format!("{name}, size of a message"), "bytes", size);
        }
        if self.wants(&[5]) {
            for (key, label) in [("pong_p50", "median"), ("pong_p99", "99 %")] {
                results.add(5, format!("{name}: ping to pong, {label}"), "ms", single.number(key));
            }
            results.add(5, format!("{name}: delivery, 99 %"), "ms", single.number("delivery_p99"));
        }
        if self.wants(&[8]) {
            results.add(8, format!("{name}, {clients} clients"), "µs", cost);
        }
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

    fn idle(&self, subject: &Subject, clients: u32, results: &mut Results) -> anyhow::Result<()> {
        for (format, label) in [(Format::Tcp, "TCP"), (Format::Ws, "WebSocket")] {
            if has(&subject.server, format) {
                let (server, run) = (subject.speaking(format), self.run.clone());
                let idle = Idle { clients, seconds: 0.0, server, run }.run()?;
                results.add(4, format!("{}, {label}", subject.name), "KiB", idle.number("user_memory"));
            }
        }
        Ok(())
    }

    fn wants(&self, rows: &[u8]) -> bool {
        self.only.is_empty() || rows.iter().any(|row| self.only.contains(row))
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
            url: Vec::new(),
            start: Some(self.start.clone()),
            server_arg: self.server_arg.clone(),
            pid: None,
            login: LoginMethod::Token,
            user_pattern: String::new(),
            password: String::new(),
            format: None,
        };
        let mut subjects = vec![Subject { name: "faf-lobby", server: own.clone() }];
        if !self.reference_url.is_empty() {
            let server = ServerOptions {
                url: self.reference_url.clone(),
                start: None,
                pid: self.reference_pid,
                login: self.reference_login,
                user_pattern: self.reference_user_pattern.clone(),
                password: self.reference_password.clone(),
                ..own
            };
            subjects.push(Subject { name: "reference", server });
        }
        subjects
    }

    /// Measures twice, each time in a new process, because the result depends on where its memory
    /// happens to be. The mean counts.
    fn floor(&self, clients: u32, joined: u32) -> anyhow::Result<[Report; 2]> {
        let (write, rate, size) = if joined > 1 {
            (Write::Joined, 1.0 / REPORT_INTERVAL, GAME_INFO)
        } else {
            (Write::Each, 10.0, NOTICE)
        };
        let (length, run) = (self.length(), self.run.clone());
        let floor = Floor { clients, joined, write, rate, size, warm_up: 2.0, length, run };
        Ok([floor.run()?, floor.run()?])
    }

    /// Measures one message per write, and eight per report, with the same clients.
    fn broadcast(&self, subject: &Subject, format: Format, clients: u32) -> anyhow::Result<[Report; 2]> {
        let joined = Broadcast {
            clients,
            joined: 8,
            rate: 10.0,
            size: NOTICE,
            ping_clients: 20,
            ping_interval: 0.2,
            warm_up: 2.0,
            report_interval: REPORT_INTERVAL,
            length: self.length(),
            server: subject.speaking(format),
            run: self.run.clone(),
        };
        let single = Broadcast { joined: 1, ..joined.clone() };
        let arguments = [format!("--report-interval={}", joined.report_interval)];
        let mut harness = Harness::open(&joined.server, &joined.run, &arguments, joined.roles())?;
        harness.log_in(0..clients)?;
        harness.settle()?;
        let single = single.measure(&mut harness)?;
        harness.settle()?;
        let mut joined = joined.measure(&mut harness)?;
        harness.finish(&mut joined);
        Ok([single, joined])
    }

    fn logins(&self, subject: &Subject, results: &mut Results) -> anyhow::Result<()> {
        let name = subject.name;
        let (online, clients) = (self.scaled(2000), self.scaled(5000));
        let (server, run) = (subject.speaking(Format::Tcp), self.run.clone());
        let rate = LoginRate {
            online,
            seconds: self.seconds,
            logins: None,
            server: server.clone(),
            run: run.clone(),
        };
        let rate = rate.run()?.number("logins_per_second");
        results.add(6, format!("{name}: logins a second with {online} online"), "/s", rate);
        let storm = Storm {
            clients,
            kill_server: false,
            cold: false,
            database_hangs: None,
            ping_clients: 20,
            calm: 1.0,
            server,
            run,
        }
        .run()?;
        let label = format!("{name}: storm of {clients}");
        results.add(6, format!("{label}, half are back after"), "s", storm.number("half"));
        results.add(6, format!("{label}, all are back after"), "s", storm.number("last"));
        results.add(6, format!("{label}: ping to pong, 99 %"), "ms", storm.number("pong_p99"));
        Ok(())
    }

    fn slow(&self, subject: &Subject, clients: u32, results: &mut Results) -> anyhow::Result<()> {
        let name = subject.name;
        let slow = Slow {
            clients,
            stalled: Part::Percent(1.0),
            trickle: false,
            receive_buffer: 8192,
            stall_timeout: 3.0,
            rate: 10.0,
            size: NOTICE,
            ping_clients: 20,
            length: self.length(),
            server: subject.speaking(Format::Tcp),
            run: self.run.clone(),
        }
        .run()?;
        let [before, after] = ["read_delivery_p99", "stalled_delivery_p99"].map(|key| slow.number(key));
        results.add(7, format!("{name}: delivery, 99 %, everybody reads"), "ms", before);
        results.add(7, format!("{name}: delivery, 99 %, one in a hundred does not"), "ms", after);
        results.add(
            7,
            format!("{name}: change"),
            "%",
            ratio(after, before).map(|ratio| (ratio - 1.0) * 100.0),
        );
        Ok(())
    }
}

/// Size of a notice, in bytes.
const NOTICE: usize = 1000;

/// Size of the largest `game_info` that a host can cause, in bytes.
const GAME_INFO: usize = 945;

/// Seconds between reports. More than 200 ms, after which receivers treat data as the begin of a
/// new exchange and acknowledge it at once. At about 200 ms it would be chance whether they do,
/// which costs the sender a third of a write.
const REPORT_INTERVAL: f64 = 0.25;

/// Key of the CPU time per delivery.
const CPU: &str = "cpu_per_delivery";

impl Subject {
    fn speaking(&self, format: Format) -> ServerOptions {
        ServerOptions { format: Some(format), ..self.server.clone() }
    }
}

/// Returns whether the server speaks this format; a started server speaks all.
fn has(server: &ServerOptions, format: Format) -> bool {
    server.start.is_some() || server.url.iter().any(|url| format.wire_formats().contains(&url.format()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_told_by_its_median() {
        let mut results = Results::default();
        for value in [3.0, 1.0, 2.0] {
            results.add(2, "second".to_owned(), "µs", Some(value));
        }
        results.add(1, "first".to_owned(), "", Some(1.5));
        results.add(1, "unknown".to_owned(), "", None);
        results.add(1, "no ratio".to_owned(), "", ratio(Some(1.0), Some(0.0)));
        let markdown = results.markdown();
        let rows: Vec<_> = markdown.lines().skip(2).collect();
        assert_eq!(rows, ["| 1 | first | 1.50 | 1.50 to 1.50 |  |", "| 2 | second | 2 | 1 to 3 | µs |"]);
    }
}
