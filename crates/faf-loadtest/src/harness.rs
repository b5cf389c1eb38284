//! A server with its clients, and the observation of them during a scenario.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use crate::actors::ActorCommand;
use crate::options::{LoginMethod, RunOptions, Setup};
use crate::report::sample::Sample;
use crate::report::{Moment, Report};
use crate::server::process::{Memory, Process};
use crate::server::{Accounts, Target};
use crate::swarm::credentials::Credentials;
use crate::swarm::{Role, Swarm};

/// Interval between collections of the samples.
const COLLECT_INTERVAL: Duration = Duration::from_millis(20);

/// Interval between the moments of the plot.
const MOMENT_INTERVAL: Duration = Duration::from_millis(500);

/// Number of open files other than connections.
const OTHER_FILES: u64 = 64;

/// A measured period.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(crate) sample: Sample,
    pub(crate) seconds: f64,
    /// CPU time of the server in it, in seconds.
    pub(crate) cpu: Option<f64>,
    /// CPU time of this process in it, in seconds.
    pub(crate) own_cpu: Option<f64>,
}

impl Window {
    /// Returns CPU time of this period in percent of one processor.
    pub(crate) fn percent(&self, cpu: Option<f64>) -> Option<f64> {
        cpu.map(|cpu| cpu / self.seconds * 100.0)
    }
}

/// A server, its clients, and the samples collected from them.
#[derive(Debug)]
pub(crate) struct Harness {
    pub(crate) target: Target,
    pub(crate) swarm: Swarm,
    time_limit: Duration,
    at_once: usize,
    /// Silence to wait for after logins, in milliseconds.
    silence: u64,
    began: Instant,
    progress: ProgressBar,
    pub(crate) moments: Vec<Moment>,
    /// Sample since the last moment, and the time of that.
    recent: Sample,
    since: Instant,
}

impl Harness {
    /// Starts or finds the server, and prepares clients without connecting them.
    pub(crate) fn open(
        Setup { server, run }: &Setup,
        arguments: &[String],
        roles: Vec<Role>,
    ) -> anyhow::Result<Self> {
        let clients = roles.len() as u32;
        raise_file_limit(clients)?;
        let searches = roles.iter().any(|role| role.searches);
        let target = Target::open(server, Accounts { number: clients, have_queues: searches }, arguments)?;
        let credentials = match server.login {
            LoginMethod::Token => Credentials::sign(clients),
            LoginMethod::Password => Credentials::password(clients, &server.user_pattern, &server.password),
        };
        Self::with(target, credentials, run, roles)
    }

    /// As [`open`](Self::open); then logs these clients in, and waits until all is quiet.
    pub(crate) fn online(
        setup: &Setup,
        arguments: &[String],
        roles: Vec<Role>,
        clients: Range<u32>,
    ) -> anyhow::Result<Self> {
        let mut harness = Self::open(setup, arguments, roles)?;
        harness.log_in(clients)?;
        harness.settle()?;
        Ok(harness)
    }

    pub(crate) fn with(
        target: Target,
        credentials: Credentials,
        run: &RunOptions,
        roles: Vec<Role>,
    ) -> anyhow::Result<Self> {
        raise_file_limit(roles.len() as u32)?;
        let progress = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{msg:<28} {bar:30} {pos}/{len} {elapsed} {prefix}");
        progress.set_style(style.expect("the template is right"));
        Ok(Self {
            swarm: Swarm::start(target.endpoints.clone(), credentials, run, roles)?,
            target,
            time_limit: Duration::from_secs_f64(run.time_limit),
            at_once: run.at_once,
            silence: (run.silence * 1000.0) as u64,
            began: Instant::now(),
            progress,
            moments: Vec::new(),
            recent: Sample::default(),
            since: Instant::now(),
        })
    }

    /// Logs clients in at the requested pace, and waits until they are online.
    ///
    /// # Errors
    /// If one of them cannot connect or log in, or if nothing happens any more.
    pub(crate) fn log_in(&mut self, clients: impl ExactSizeIterator<Item = u32>) -> anyhow::Result<Window> {
        let goal = self.swarm.online() + clients.len();
        self.swarm.log_in(clients, self.at_once, false);
        let window = self.watch("logging in", goal as u64, |harness, _| harness.swarm.online() as u64)?;
        ensure_no_failures(&window.sample)?;
        Ok(window)
    }

    /// Watches until `reached`, which receives the sample so far, returns the goal.
    ///
    /// # Errors
    /// If a client cannot connect or log in, or if nothing is received any more.
    pub(crate) fn watch(
        &mut self,
        what: &str,
        goal: u64,
        mut reached: impl FnMut(&Self, &Sample) -> u64,
    ) -> anyhow::Result<Window> {
        self.progress.reset();
        self.progress.set_message(what.to_owned());
        self.progress.set_length(goal);
        let (began, cpu, own_cpu) = (Instant::now(), self.cpu(), own_cpu());
        let mut sample = Sample::default();
        let (mut last_progress, mut before) = (Instant::now(), 0);
        loop {
            let seen = self.swarm.drain();
            let is_silent = seen.bytes == 0 && seen.logins.is_empty();
            self.note(&seen);
            sample.add(seen);
            let position = reached(self, &sample);
            if !is_silent || position != before {
                (last_progress, before) = (Instant::now(), position);
            }
            self.progress.set_position(position.min(goal));
            if position >= goal {
                break;
            }
            ensure_no_failures(&sample)?;
            if last_progress.elapsed() > self.time_limit {
                bail!(
                    "{what}: nothing has been received for {} s; {position} of {goal} done, {} clients were \
                     disconnected. A server that is only slow needs more --time-limit",
                    self.time_limit.as_secs(),
                    sample.lost
                );
            }
            std::thread::sleep(COLLECT_INTERVAL);
        }
        let spent = |before: Option<Duration>, now: Option<Duration>| {
            Some(now?.saturating_sub(before?).as_secs_f64())
        };
        Ok(Window {
            sample,
            seconds: began.elapsed().as_secs_f64(),
            cpu: spent(cpu, self.cpu()),
            own_cpu: spent(own_cpu, self::own_cpu()),
        })
    }

    /// Watches for some seconds, or until this many messages were delivered.
    pub(crate) fn measure(
        &mut self,
        what: &str,
        seconds: f64,
        deliveries: Option<u64>,
    ) -> anyhow::Result<Window> {
        // Messages between two measurements belong to neither of them.
        let seen = self.swarm.drain();
        self.note(&seen);
        ensure_no_failures(&seen)?;
        let began = Instant::now();
        match deliveries {
            Some(deliveries) => self.watch(what, deliveries, |_, sample| sample.deliveries()),
            None => {
                let milliseconds = (seconds * 1000.0) as u64;
                self.watch(what, milliseconds, |_, _| began.elapsed().as_millis() as u64)
            }
        }
    }

    /// Waits until nothing is received any more, as after many logins, but not longer than the time
    /// limit, because others may play on the server.
    ///
    /// # Errors
    /// If a client cannot connect or log in.
    pub(crate) fn settle(&mut self) -> anyhow::Result<()> {
        let (began, time_limit, silence) = (Instant::now(), self.time_limit, self.silence);
        let (mut messages, mut since) = (0, Instant::now());
        self.watch("waiting for silence", silence, |_, sample| {
            if sample.messages != messages {
                (messages, since) = (sample.messages, Instant::now());
            }
            if began.elapsed() > time_limit { silence } else { since.elapsed().as_millis() as u64 }
        })?;
        Ok(())
    }

    /// Lets players search, and waits until this number of them do.
    pub(crate) fn search(&mut self, searchers: u32) -> anyhow::Result<()> {
        if searchers > 0 {
            self.swarm.send_command(ActorCommand::Play);
            self.watch("beginning to search", searchers.into(), |_, sample| sample.searches)?;
            self.settle()?;
        }
        Ok(())
    }

    /// Sends notices to all clients at this rate, lets the pingers ping, and waits until the first
    /// notice has arrived.
    pub(crate) fn announce(&mut self, rate: f64, size: usize) -> anyhow::Result<()> {
        let interval = Duration::from_secs_f64(1.0 / rate);
        self.swarm.send_command(ActorCommand::Announce { interval, size });
        self.await_first_delivery()
    }

    /// Lets the pingers ping, and waits until the first marker has arrived.
    pub(crate) fn await_first_delivery(&mut self) -> anyhow::Result<()> {
        self.swarm.send_command(ActorCommand::Ping);
        self.watch("waiting for the first", 1, |_, sample| sample.delivery.count())?;
        Ok(())
    }

    /// Returns a part of the server's memory, in megabytes.
    pub(crate) fn memory(&self, part: fn(Memory) -> u64) -> Option<f64> {
        self.target.process?.memory().map(|memory| part(memory) as f64 / 1e6)
    }

    fn cpu(&self) -> Option<Duration> {
        self.target.process?.cpu()
    }

    fn note(&mut self, seen: &Sample) {
        self.recent.add(seen.clone());
        let passed = self.since.elapsed();
        if passed < MOMENT_INTERVAL {
            return;
        }
        self.since = Instant::now();
        let recent = std::mem::take(&mut self.recent);
        let latency = if recent.delivery.count() > 0 { &recent.delivery } else { &recent.pong };
        let moment = Moment {
            at: self.began.elapsed(),
            messages: recent.messages as f64 / passed.as_secs_f64(),
            online: self.swarm.online(),
            p50: latency.quantile_ms(0.5),
            p99: latency.quantile_ms(0.99),
            memory: self.target.process.and_then(|process| Some(process.memory()?.resident)),
        };
        self.progress.set_prefix(format!("{} online, {:.0} messages/s", moment.online, moment.messages));
        self.moments.push(moment);
    }

    /// Ends the progress display, and adds the moments to the report.
    pub(crate) fn finish(self, report: &mut Report) {
        self.progress.finish_and_clear();
        report.moments.extend(self.moments);
    }
}

fn own_cpu() -> Option<Duration> {
    Process(std::process::id()).cpu()
}

/// Fails if a client could not connect or log in, with advice if there is any.
pub(crate) fn ensure_no_failures(sample: &Sample) -> anyhow::Result<()> {
    let reasons = sample.failure_texts.join("; ");
    let count = sample.failures;
    let advice = if reasons.contains("os error 24") {
        ". Too few files may be open: raise the limit with `ulimit -n`, or take fewer clients"
    } else if reasons.contains("refuses the login") {
        ". Does the server trust the test keys (--jwks with the key set of faf-testkit), and does it have the accounts?"
    } else {
        ""
    };
    ensure!(count == 0, "{count} clients could not connect or log in: {reasons}{advice}");
    Ok(())
}

/// Raises the limit of open files, because every connection is one.
fn raise_file_limit(clients: u32) -> anyhow::Result<()> {
    let needed = u64::from(clients) + OTHER_FILES;
    let limit = rlimit::increase_nofile_limit(needed.max(1024)).unwrap_or(needed);
    ensure!(
        limit >= needed,
        "{clients} clients need {needed} open files and only {limit} are allowed: raise the hard limit, with `ulimit -Hn` as \
         root or in /etc/security/limits.conf, or take fewer --clients"
    );
    Ok(())
}
