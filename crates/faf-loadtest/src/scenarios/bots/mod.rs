//! Bots that play an evening on any server, in real time, so that it can be recorded.
//!
//! Each bot has an account of its own. Together they send every command that clients and game
//! processes send; no other scenario does. Nothing is measured: the results are counts.

mod accounts;
mod content;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use faf_bots::{Bot, Connections, Logins, Rng, Settings, Shared, Sociable, Tally};
use faf_client::{Connector, Identity, Trust, Url};
use faf_lobby::cli::embedding::signalled;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep, timeout};

use crate::options::within;
use crate::report::{Report, write_json};
use accounts::{Account, AccountFile};

/// Time between two lines about the progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(60);

/// Time between two looks at the number of games.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Time limit for all bots to leave at the end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest evening, in seconds: a week.
const LONGEST: f64 = 7.0 * 86_400.0;

/// Bots with accounts of their own play an evening on any server: custom games, co-op, parties,
/// queues and matches
#[derive(Debug, Clone, Args)]
pub(crate) struct Bots {
    /// URL of the server: tcp://HOST:PORT (SimpleJson), qdatastream://HOST:PORT, ws://HOST:PORT/
    /// or wss://HOST/. Bots are divided among several
    #[arg(long, value_name = "URL", required = true)]
    url: Vec<Url>,

    #[command(flatten)]
    accounts: AccountFile,

    /// Maximum number of bots online at the same time [default: all accounts]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    players: Option<u32>,

    /// Length of the evening: 90s, 30m or 2h [default: until Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,

    /// End earlier, once this many games have ended
    #[arg(long, value_name = "COUNT")]
    games: Option<u64>,

    /// Seed of the bots' random decisions
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Factor by which bots live faster; at 1, a game takes one to three minutes
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = within(0.05, 60.0))]
    pace: f64,

    /// People use the server, too, and do not expect bots: bots join, invite and befriend only each
    /// other, do not search in queues, and change no counts of mods
    #[arg(long)]
    among_people: bool,

    /// Number of connections that bots open in a second
    #[arg(long, value_name = "RATE", default_value_t = 2.0, value_parser = within(0.01, 1000.0))]
    connect_rate: f64,

    /// File with certificates (PEM) to trust for wss:// instead of those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Write the results as JSON to this file; - is standard output, which then gets no table
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl Bots {
    /// Plays the evening, and publishes the counts.
    ///
    /// # Errors
    /// If the file has no accounts, or if no bot could log in.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let accounts = self.accounts.read()?;
        let number = accounts.len();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start the runtime of the bots")?;
        let (tally, length) = runtime.block_on(self.play(accounts))?;
        self.publish(&report(&tally, number, length))
    }

    async fn play(&self, accounts: Vec<Account>) -> anyhow::Result<(Tally, Duration)> {
        let signal = signalled().map_err(|failure| anyhow::anyhow!("{failure}"))?;
        let shared = Arc::new(Shared {
            settings: Settings { speed: self.pace, among_people: self.among_people, ..Settings::default() },
            content: content::everywhere(),
            logins: Some(accounts.iter().filter_map(|account| account.login.clone()).collect::<Logins>()),
            ..Shared::default()
        });
        let places = self.players.map_or(accounts.len(), |players| players as usize);
        let identity = Identity::of_program("faf-loadtest", env!("CARGO_PKG_VERSION"));
        let interval = Duration::from_secs_f64(1.0 / self.connect_rate);
        let connections = Arc::new(Connections::new(self.connector()?, identity, interval, places));
        let (end, ends) = watch::channel(false);
        let mut rng = Rng::seed_from_u64(self.seed);
        let mut bots = JoinSet::new();
        let began = Instant::now();
        for (account, url) in accounts.into_iter().zip(self.url.iter().cloned().cycle()) {
            let rng = Rng::seed_from_u64(rng.random());
            let login = account.login.unwrap_or_default();
            let bot = Bot::new(login, Arc::clone(&shared), Box::new(Sociable), rng);
            let (connections, ends) = (Arc::clone(&connections), ends.clone());
            bots.spawn(async move { connections.live(bot, &account.credentials, &url, ends).await });
        }
        tokio::select! {
            () = signal => {}
            () = sleep(self.duration.unwrap_or(Duration::from_secs_f64(LONGEST))) => {}
            () = tell_progress(&connections, began) => {}
            () = enough_games(&connections, self.games.unwrap_or(u64::MAX)) => {}
        }
        let length = began.elapsed();
        end.send_replace(true);
        // A server that does not reply does not keep the bots.
        let _ = timeout(LEAVE_TIMEOUT, async { while bots.join_next().await.is_some() {} }).await;
        Ok((connections.tally(), length))
    }

    fn connector(&self) -> anyhow::Result<Connector> {
        if !self.url.iter().any(Url::is_encrypted) {
            return Ok(Connector::default());
        }
        let trust = match &self.ca {
            Some(file) => Trust::file(file),
            None => Trust::system(),
        };
        Ok(Connector { trust: Some(trust?), ..Connector::default() })
    }

    #[expect(clippy::print_stdout, reason = "the output is the product")]
    fn publish(&self, report: &Report) -> anyhow::Result<()> {
        if self.json.as_deref() != Some("-".as_ref()) {
            print!("{}", report.table());
        }
        if let Some(file) = &self.json {
            write_json(&report.json(), file)?;
        }
        match &report.failure {
            Some(failure) => anyhow::bail!("{failure}"),
            None => Ok(()),
        }
    }
}

/// Prints a line about the progress every minute, without end.
async fn tell_progress(connections: &Connections, began: Instant) {
    let mut ticks = interval_at(began + PROGRESS_INTERVAL, PROGRESS_INTERVAL);
    loop {
        let now = ticks.tick().await;
        let Tally { logins, hosted, launched, ended, lost, .. } = connections.tally();
        let minutes = (now - began).as_secs() / 60;
        let lost: u64 = lost.values().sum();
        // If standard error is closed, nobody wants to know.
        _ = writeln!(
            io::stderr(),
            "{minutes} min: {logins} logins, {lost} connections lost, {hosted} lobbies, {launched} games launched, {ended} ended"
        );
    }
}

/// Waits until this many games have ended.
async fn enough_games(connections: &Connections, games: u64) {
    while connections.tally().ended < games {
        sleep(POLL_INTERVAL).await;
    }
}

/// Returns the counts of an evening. It is a failure if no bot could log in.
fn report(tally: &Tally, accounts: usize, length: Duration) -> Report {
    let mut report = Report::new("bots");
    let sum = |counts: &std::collections::BTreeMap<String, u64>| counts.values().sum::<u64>();
    report.row("seconds", "length of the evening", length.as_secs_f64(), "s");
    for (key, label, count) in [
        ("accounts", "accounts", accounts as u64),
        ("connections", "connections", tally.connections),
        ("not_connected", "attempts to connect that failed", sum(&tally.failed_connections)),
        ("logins", "logins", tally.logins),
        ("refused", "logins that were refused", tally.refused_logins),
        ("left", "connections that bots ended", tally.left),
        ("lost", "connections that were lost", sum(&tally.lost)),
        ("hosted", "lobbies that opened", tally.hosted),
        ("joined", "guests that joined one", tally.joined),
        ("launched", "games launched", tally.launched),
        ("ended", "games ended", tally.ended),
        ("matched", "players told of a match", tally.matched),
        ("matches", "lobbies of matches that opened", tally.matches),
        ("cancelled", "players told that a match is cancelled", tally.cancelled),
        ("received", "messages received", tally.received),
        ("sent", "messages sent", sum(&tally.sent) + sum(&tally.sent_by_games)),
        ("complaints", "errors and refusals of the server", sum(&tally.complaints)),
    ] {
        report.row(key, label, count as f64, "");
    }
    for (what, counts) in [
        ("sent", &tally.sent),
        ("sent by games", &tally.sent_by_games),
        ("error", &tally.complaints),
        ("not connected", &tally.failed_connections),
        ("lost", &tally.lost),
    ] {
        for (name, count) in counts {
            report.row(format!("{what}: {name}"), format!("{what}: {name}"), *count as f64, "");
        }
    }
    if tally.logins == 0 {
        let reasons: Vec<_> =
            tally.failed_connections.keys().chain(tally.complaints.keys()).chain(tally.lost.keys()).collect();
        let reasons = reasons.into_iter().map(String::as_str).collect::<Vec<_>>().join("; ");
        report.failure = Some(format!("no bot could log in: {reasons}"));
    }
    report
}

/// Parses a time: a number of seconds, or one with the unit `s`, `m` or `h`.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, factor) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1.0),
        Some(b'm') => (&text[..text.len() - 1], 60.0),
        Some(b'h') => (&text[..text.len() - 1], 3600.0),
        _ => (text, 1.0),
    };
    let seconds = number.parse::<f64>().ok().map(|number| number * factor);
    seconds
        .filter(|seconds| (0.0..=LONGEST).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "a time is wanted, such as 90s, 30m or 2h, a week at most".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_a_bound() {
        let seconds = |text| duration(text).map(|time| time.as_secs_f64());
        assert_eq!((seconds("90"), seconds("1.5s"), seconds("30m")), (Ok(90.0), Ok(1.5), Ok(1800.0)));
        assert_eq!((seconds("2h"), seconds("168h")), (Ok(7200.0), Ok(LONGEST)));
        for wrong in ["", "h", "-1s", "169h", "NaN", "infs", "2 weeks", "1é"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_evening_without_a_login_is_a_failure_with_its_reasons() {
        let mut tally = Tally::default();
        tally.not_connected("connection refused");
        let failure = report(&tally, 3, Duration::ZERO).failure.unwrap();
        assert!(failure.contains("connection refused"), "{failure}");
        tally.logins = 1;
        let report = report(&tally, 3, Duration::ZERO);
        assert_eq!((report.failure.as_deref(), report.number("logins")), (None, Some(1.0)));
        assert_eq!(report.number("not connected: connection refused"), Some(1.0));
    }
}
