//! Hostile input of several kinds, and what honest players notice of it.
//!
//! | kind | attackers |
//! | --- | --- |
//! | `slowloris` | send the beginning of a message, or of an upgrade, a byte every half second, before any login |
//! | `half-open` | connect and say nothing |
//! | `connects` | connect and hang up, each as often as possible |
//! | `garbage` | send random bytes, or unknown commands without waiting for answers, before any login |
//! | `huge` | log in and send messages of nearly 10 MiB, the most a server takes |
//! | `pipeline` | log in and send right commands as fast as possible, and never read the answers |
//!
//! Whoever is thrown out comes back half a second later. The attackers have a thread of their own; where there are few
//! processors, the server and the honest players share them with it.
//!
//! Meanwhile honest players are logged in and ping. None of them may be disconnected: if one is, the exit code says so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::{Args, ValueEnum};
use faf_protocol::WireFormat;

use super::megabytes;
use crate::actors::{Cue, Pinger};
use crate::address::Url;
use crate::attack::{Attack, Manner, Peer, garbage};
use crate::options::{RunOptions, ServerOptions, interval, seconds};
use crate::report::Report;
use crate::speech;
use crate::stage::Stage;
use crate::swarm::Role;

/// The most that a server takes in one message, less what stands around it.
const HUGE: usize = 10 * 1024 * 1024 - 100;

/// Hostile input of several kinds, and what honest players notice of it
#[derive(Debug, Clone, Args)]
pub(crate) struct Flood {
    /// What the attackers do
    #[arg(long, value_enum, default_value_t = Kind::All)]
    pub(crate) kind: Kind,

    /// Attackers at the same time
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) clients: u32,

    /// Honest players, who ping meanwhile
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) honest: u32,

    /// How often each of them pings, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.2, value_parser = interval())]
    pub(crate) ping_interval: f64,

    /// How long each kind is measured
    #[arg(long, default_value_t = 10.0, value_parser = seconds())]
    pub(crate) seconds: f64,

    /// Measure each kind until so many pings were answered, and no longer
    #[arg(long, value_name = "COUNT")]
    pub(crate) pongs: Option<u64>,

    /// With `connects`: measure until so many attempts were made
    #[arg(long, value_name = "COUNT")]
    pub(crate) attempts: Option<u64>,

    #[command(flatten)]
    pub(crate) server: ServerOptions,

    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// A kind of hostile input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Slowloris,
    HalfOpen,
    Connects,
    Garbage,
    Huge,
    Pipeline,
    All,
}

impl Kind {
    const EACH: [Self; 6] =
        [Self::Slowloris, Self::HalfOpen, Self::Connects, Self::Garbage, Self::Huge, Self::Pipeline];

    fn name(self) -> &'static str {
        match self {
            Self::Slowloris => "slowloris",
            Self::HalfOpen => "half-open",
            Self::Connects => "connects",
            Self::Garbage => "garbage",
            Self::Huge => "huge",
            Self::Pipeline => "pipeline",
            Self::All => "all",
        }
    }

    fn manner(self) -> Manner {
        match self {
            Self::Slowloris | Self::HalfOpen => Manner::Dribble,
            Self::Connects => Manner::HangUp,
            Self::Garbage | Self::Huge => Manner::Flood,
            Self::Pipeline | Self::All => Manner::FloodDeaf,
        }
    }

    /// What attackers of this kind send over and over, in one wire format.
    fn body(self, format: WireFormat, is_odd: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::HalfOpen | Self::Connects | Self::All => {}
            Self::Garbage => bytes = garbage(format, is_odd),
            Self::Huge => {
                let size = if format == WireFormat::QDataStream { HUGE / 2 } else { HUGE };
                let message = format!(r#"{{"command":"ping","more":"{}"}}"#, "x".repeat(size - 100));
                speech::say(format, &message, &mut bytes);
            }
            Self::Slowloris => {
                let message = format!(r#"{{"command":"ask_session","user_agent":"{}"}}"#, "x".repeat(10_000));
                speech::say(format, &message, &mut bytes);
            }
            Self::Pipeline => {
                for _ in 0..100 {
                    speech::say(format, speech::PING, &mut bytes);
                    speech::say(format, r#"{"command":"ask_session"}"#, &mut bytes);
                    speech::say(format, r#"{"command":"matchmaker_info"}"#, &mut bytes);
                    speech::say(format, r#"{"command":"ice_servers"}"#, &mut bytes);
                }
            }
        }
        bytes
    }
}

impl Flood {
    pub(crate) fn run(&self) -> anyhow::Result<Report> {
        let role = |number| match number {
            // Accounts of the others are for attackers who log in.
            _ if number < self.honest => {
                Role::acting(Pinger::new(Duration::from_secs_f64(self.ping_interval)))
            }
            _ => Role::default(),
        };
        let roles = (0..self.honest + self.clients).map(role).collect();
        let mut stage = Stage::open(&self.server, &self.run, &[], roles)?;
        stage.log_in(0..self.honest)?;
        stage.settle()?;
        stage.swarm.cue(Cue::Ping);
        let mut report = Report::new("flood");
        report.row("honest", "honest players", f64::from(self.honest), "");
        report.row("attackers", "attackers", f64::from(self.clients), "");
        let calm = self.measure(&mut stage, "calm", None)?;
        report.row("calm_pong_p99", "calm: ping to pong, 99 %", calm.sample.pong.quantile_ms(0.99), "ms");
        let mut lost = calm.sample.lost_honest;
        for kind in Kind::EACH {
            if self.kind == kind || self.kind == Kind::All {
                lost += self.attack(&mut stage, kind, &mut report)?;
            }
        }
        let honest_online = stage.swarm.online() as f64;
        report.row("honest_online", "honest players who are still there", honest_online, "");
        report.row("honest_lost", "honest players who were disconnected", lost as f64, "");
        if lost > 0 {
            report.failure = Some(format!("{lost} honest players were disconnected"));
        }
        stage.finish(&mut report);
        Ok(report)
    }

    fn measure(
        &self,
        stage: &mut Stage,
        what: &'static str,
        attack: Option<&Attack>,
    ) -> anyhow::Result<crate::stage::Window> {
        let attempts = attack.and_then(|attack| Some((attack, self.attempts?)));
        match (attempts, self.pongs) {
            (Some((attack, attempts)), _) if what == Kind::Connects.name() => {
                stage.watch(what, attempts, |_, _| attack.tally.attempts.load(Ordering::Relaxed))
            }
            (_, Some(pongs)) => {
                stage.measure(what, 0.0, None)?;
                stage.watch(what, pongs, |_, sample| sample.pong.count())
            }
            _ => stage.measure(what, self.seconds, None),
        }
    }

    /// Answers how many honest players were disconnected.
    fn attack(&self, stage: &mut Stage, kind: Kind, report: &mut Report) -> anyhow::Result<u64> {
        let peers = self.peers(stage, kind);
        let attack = Attack::begin(peers, self.run.per_address)?;
        let window = self.measure(stage, kind.name(), Some(&attack))?;
        let name = kind.name();
        let tally = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed) as f64;
        let (sample, key) = (&window.sample, |key: &str| format!("{name}_{key}"));
        report.row(
            key("pong_p50"),
            format!("{name}: ping to pong, median"),
            sample.pong.quantile_ms(0.5),
            "ms",
        );
        report.row(
            key("pong_p99"),
            format!("{name}: ping to pong, 99 %"),
            sample.pong.quantile_ms(0.99),
            "ms",
        );
        report.row(key("pong_max"), format!("{name}: ping to pong, slowest"), sample.pong.max_ms(), "ms");
        report.row(
            key("attempts"),
            format!("{name}: attempts to connect"),
            tally(&attack.tally.attempts),
            "",
        );
        report.row(key("connected"), format!("{name}: connections"), tally(&attack.tally.connected), "");
        report.row(key("ended"), format!("{name}: ended by the server"), tally(&attack.tally.ended), "");
        report.row(key("sent"), format!("{name}: bytes sent"), tally(&attack.tally.bytes) / 1e6, "MB");
        let cpu = window.cpu.map(|cpu| cpu / window.seconds * 100.0);
        report.row(key("cpu"), format!("{name}: server's processor time"), cpu, "% of one");
        let memory = stage.target.process.and_then(crate::process::Process::memory);
        let peak = memory.map(|memory| megabytes(memory.peak));
        report.row(key("peak"), format!("{name}: server's memory, at most so far"), peak, "MB");
        drop(attack);
        Ok(sample.lost_honest)
    }

    fn peers(&self, stage: &Stage, kind: Kind) -> Vec<Peer> {
        let urls = &stage.target.urls;
        let bodies = |is_odd| -> Vec<Arc<[u8]>> {
            urls.iter().map(|url| kind.body(url.format, is_odd).into()).collect()
        };
        let even = bodies(false);
        // Only garbage is of two kinds.
        let odd = if kind == Kind::Garbage { bodies(true) } else { even.clone() };
        (0..self.clients)
            .map(|number| {
                let place = number as usize % urls.len();
                let is_odd = (number as usize / urls.len()) % 2 == 1;
                Peer {
                    to: urls[place].address,
                    greeting: self.greeting(stage, kind, &urls[place], number),
                    body: Arc::clone(if is_odd { &odd[place] } else { &even[place] }),
                    manner: kind.manner(),
                }
            })
            .collect()
    }

    /// What comes first: the upgrade, and the login of those who log in. Nobody waits for the answer.
    fn greeting(&self, stage: &Stage, kind: Kind, url: &Url, number: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        if matches!(kind, Kind::HalfOpen | Kind::Connects) {
            return bytes;
        }
        // Half of those who send garbage do not even speak HTTP.
        if url.format == WireFormat::WebSocket && (kind != Kind::Garbage || number.is_multiple_of(2)) {
            bytes = speech::upgrade(url);
        }
        if matches!(kind, Kind::Huge | Kind::Pipeline) {
            for message in stage.swarm.login_messages(self.honest + number) {
                speech::say(url.format, &message, &mut bytes);
            }
        }
        bytes
    }
}
