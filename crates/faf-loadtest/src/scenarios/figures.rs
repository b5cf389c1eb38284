//! All figures of the benchmarks, with tables for a document: the floor of the machine and the
//! server by turns in every run, so that what the machine does otherwise meets both.
//!
//! | row | what |
//! | --- | --- |
//! | 1 | processor time for each delivered message of 1 KB, one message a write; ratio to the floor |
//! | 2 | the same with eight messages at a time; ratio to the floor, which writes them together |
//! | 3 | 1 and 2 over WebSocket; ratio to the same over TCP |
//! | 4 | memory of an idle connection, TCP and WebSocket |
//! | 5 | ping to pong while everybody is told something ten times a second; the floor's delivery |
//! | 6 | logins a second with others online; how long a storm lasts |
//! | 7 | what others notice of clients who do not read |
//! | 8 | processor time for each delivered message by number of clients |
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
use crate::options::{Format, LengthOptions, LoginMethod, RunOptions, ServerOptions, seconds, within};
use crate::report::{Report, figure, write_json};
use crate::stage::Stage;
use crate::swarm::address::Endpoint;

/// All figures of the benchmarks, with tables in Markdown
#[derive(Debug, Clone, Args)]
pub(crate) struct Figures {
    /// The program faf-lobby
    #[arg(long, value_name = "PROGRAM")]
    start: PathBuf,

    /// A further argument for the program that is started
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    server_arg: Vec<String>,

    /// Another server to compare with, such as the original: its addresses, one for each wire
    /// format
    #[arg(long, value_name = "URL")]
    reference_url: Vec<Endpoint>,

    /// The other server's process
    #[arg(long, value_name = "NUMBER")]
    reference_pid: Option<u32>,

    /// How players log in there
    #[arg(long, value_enum, default_value_t = LoginMethod::Token)]
    reference_login: LoginMethod,

    /// Names of accounts there; {} stands for 1, 2, 3...
    #[arg(long, value_name = "PATTERN", default_value = "player{}")]
    reference_user_pattern: String,

    /// Password of all accounts there
    #[arg(long, default_value = "")]
    reference_password: String,

    /// How often everything is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,

    /// Take this share of the clients: for smaller machines, and to try it out
    #[arg(long, default_value_t = 1.0, value_parser = within(0.001, 10.0))]
    scale: f64,

    /// How long each measurement takes
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

/// All that was measured, in the order in which it came first.
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
            // Writing to a text does not fail.
            _ = writeln!(text, "| {row} | {label} | {} | {lowest} to {highest} | {unit} |", figure(median));
        }
        text
    }
}

fn ratio(value: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(value? / to?)
}

impl Figures {
    /// The file with the tables is written after every run: what was measured until a failure is
    /// there.
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

    /// Returns the floor's processor time for a delivery, of one message a write and of eight.
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

    /// Returns the processor time for a delivery, of one message a write and of eight, if any row
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

    /// At least as many as there are roles.
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

    /// Twice, each in a process of its own: what is measured depends on where its memory happens to
    /// be. The mean counts.
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

    /// One message a write, and eight a report, with the same clients.
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
        let mut stage = Stage::open(&joined.server, &joined.run, &arguments, joined.roles())?;
        stage.log_in(0..clients)?;
        stage.settle()?;
        let single = single.measure(&mut stage)?;
        stage.settle()?;
        let mut joined = joined.measure(&mut stage)?;
        stage.finish(&mut joined);
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

/// Bytes of a notice.
const NOTICE: usize = 1000;

/// Bytes of the largest `game_info` that a host can make.
const GAME_INFO: usize = 945;

/// Seconds between reports. More than the 200 ms after which receivers take what comes for the
/// begin of something new, and acknowledge it at once; at about 200 ms it would be chance whether
/// they do, and that costs the sender a third of a write.
const REPORT_INTERVAL: f64 = 0.25;

/// Key of the processor time for each delivery.
const CPU: &str = "cpu_per_delivery";

impl Subject {
    fn speaking(&self, format: Format) -> ServerOptions {
        ServerOptions { format: Some(format), ..self.server.clone() }
    }
}

/// Whether the server speaks this format: one that is started speaks all.
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
