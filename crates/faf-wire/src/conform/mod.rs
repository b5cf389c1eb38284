//! `faf-wire conform`: replays recorded sessions against any server, and reports every difference.

mod server;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use faf_client::Url;
use faf_conformance::report::{Report, SessionReport};
use faf_conformance::sessions::{self, Session};
use faf_conformance::{Offers, Options, ServerUnderTest, Settings, needs, replay};
use faf_protocol::WireFormat;
use faf_sessions::differences::{self, Differences, Used};
use faf_sessions::transcript::Transcript;

use crate::exit::{self, Failure};
use server::{Addresses, Server};

/// Exit codes and the contract of `--start`, for `--help`.
pub(crate) const HELP: &str = "\
--start runs the command with `sh -c` before each session and ends it after the session, with SIGTERM, and \
SIGKILL ten seconds later, to all its processes. It is told with these variables which session comes:

  FAF_SESSION       its name
  FAF_SEED          the file of --seed, if there is one
  FAF_SETTING_NAME  the value of each setting that --applies names and the session needs, as JSON
  FAF_KEY_SET       the key set that verifies tokens, as JSON, with --applies jwks

The command prints one line when the server is ready, and may print others before it:

  {\"ready\": true, \"listening\": {\"simple_json\": \"tcp://127.0.0.1:8002\", \"http\": \"http://127.0.0.1:8011/\"}}

A URL whose name ends in `proxy` is of a listener that expects a PROXY header. With --to, there need not be such a \
line: the server is ready when it accepts connections.

Exit codes: 0 nothing is unexplained, 1 other failures, 2 wrong usage, 9 something is unexplained, or nothing \
was compared.";

/// Where the server is, how to start it, and what to compare.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Files with sessions, or folders with such files (*.jsonl)
    #[arg(required = true, value_name = "SESSIONS")]
    sessions: Vec<PathBuf>,
    /// URL of the server, once for each wire format that it has: tcp://, qdatastream://,
    /// ws://, wss://
    #[arg(long, value_name = "URL")]
    to: Vec<Url>,
    /// URL of a listener that expects a PROXY header, once for each wire format
    #[arg(long, value_name = "URL")]
    proxy_to: Vec<Url>,
    /// Host and port of the pages /players, /games and so on, if the server has them
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<String>,
    /// Shell command that starts a fresh server for each session
    #[arg(long, value_name = "COMMAND")]
    start: Option<String>,
    /// Seconds that the server may take to start
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    start_timeout: Duration,
    /// File with the data of the sessions' server, passed on to --start
    #[arg(long, value_name = "FILE", requires = "start")]
    seed: Option<PathBuf>,
    /// Setting that --start gives the server as the session needs it, such as QUEUE_POP_TIME_MAX;
    /// sessions that need others are skipped
    #[arg(long, value_name = "NAME", requires = "start")]
    applies: Vec<String>,
    /// List of deliberate differences; without it, none is expected
    #[arg(long, value_name = "FILE", conflicts_with = "own_differences")]
    differences: Option<PathBuf>,
    /// Use the list of faf-lobby's own differences
    #[arg(long)]
    own_differences: bool,
    /// Seconds without a message after which everything has arrived
    #[arg(long, value_name = "SECONDS", default_value = "1.25", value_parser = seconds)]
    quiet: Duration,
    /// Accept other numbers of games than the recorded ones, as long as they are used consistently
    #[arg(long)]
    rename_games: bool,
    /// Print one JSON object instead of lines for people
    #[arg(long)]
    json: bool,
}

/// Replays the sessions, one after another, until it is interrupted.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    tokio::select! {
        done = play_all(arguments) => done,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            Err(Failure::new(exit::FAILURE, anyhow::anyhow!("interrupted")))
        }
    }
}

async fn play_all(arguments: Arguments) -> Result<(), Failure> {
    if arguments.to.is_empty() && arguments.start.is_none() {
        return Err(Failure::new(exit::USAGE, anyhow::anyhow!("a server is needed: --to or --start")));
    }
    let mut sessions = Vec::new();
    for path in &arguments.sessions {
        sessions.extend(sessions::read(path).context("not a session")?);
    }
    let list = arguments.list()?;
    let differences = if arguments.own_differences { &differences::OWN } else { &list };
    if arguments.start.is_none() && sessions.len() > 1 {
        exit::complain("without --start, each session finds what the ones before it have left on the server");
    }
    let (mut report, mut used) = (Report::default(), Used::new());
    for session in &sessions {
        let played = arguments.play(session, differences, &mut used).await;
        if !arguments.json {
            writeln!(io::stdout(), "{played}")?;
        }
        report.0.push(played);
    }
    match arguments.json {
        true => writeln!(io::stdout(), "{}", report.json())?,
        false => writeln!(io::stdout(), "{report}")?,
    }
    match report.is_good() {
        true => Ok(()),
        false => Err(Failure::new(exit::UNEXPLAINED, anyhow::anyhow!("{report}"))),
    }
}

impl Arguments {
    /// Reads the list of differences, if one is named.
    fn list(&self) -> Result<Differences, Failure> {
        let Some(file) = &self.differences else { return Ok(Differences::none()) };
        let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
        Ok(Differences::read(&text).with_context(|| format!("{}", file.display()))?)
    }

    /// Plays one session, on a server of its own if there is a command that starts one.
    async fn play(&self, session: &Session, differences: &Differences, used: &mut Used) -> SessionReport {
        let Session { name, transcript } = session;
        // Before a server is started: what no listener changes.
        let any = Addresses::any();
        let reasons = needs::missing(transcript, &any.offers(self.settings(), self.start.is_some()));
        if !reasons.is_empty() {
            return SessionReport::skipped(name, reasons);
        }
        let mut server = match Server::start(self, session).await {
            Ok(server) => server,
            Err(error) => return SessionReport::failed(name, format!("{error:#}")),
        };
        let (format, reasons) = format(transcript, &server.offers());
        if !reasons.is_empty() {
            server.stop().await;
            return SessionReport::skipped(name, reasons);
        }
        let options =
            Options { format, quiet: self.quiet, renames_games: self.rename_games, ..Options::default() };
        let replayed = replay(transcript, &mut server, &options).await;
        let mut played = SessionReport::played(name, transcript, replayed, differences, used);
        if let Some(format) = format {
            played.remarks.push(format!("played over {} instead", format.properties().name));
        }
        for (what, count) in needs::not_compared(transcript, &server.offers()) {
            played.remarks.push(format!("not compared: {what} ({count})"));
        }
        server.stop().await;
        played
    }

    fn settings(&self) -> Settings {
        Settings::Named(self.applies.clone())
    }
}

/// Returns the wire format to use instead of the recorded ones, if the server lacks one of them; or
/// the reasons why the session cannot be played.
fn format(transcript: &Transcript, offers: &Offers) -> (Option<WireFormat>, Vec<String>) {
    let reasons = needs::missing(transcript, offers);
    match offers.formats.first() {
        Some(format) if !reasons.is_empty() && needs::suits_any_format(transcript) => {
            let all = Offers { formats: WireFormat::ALL.to_vec(), ..offers.clone() };
            (Some(*format), needs::missing(transcript, &all))
        }
        _ => (None, reasons),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    let time = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if time.is_zero() { Err("it must be more than 0".to_owned()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn a_session_is_played_in_another_format_if_it_can_be() {
        let read = |lines: &str| {
            let text = format!("{}\n{lines}", r#"{"meta":{}}"#);
            Transcript::read(&text).unwrap()
        };
        let connect = r#"{"conn":"A","event":"connect","protocol":"qds"}"#;
        let (plain, raw) = (
            read(connect),
            read(&format!("{connect}\n{}", r#"{"conn":"A","dir":"c2s","raw_b64":"AAAADA=="}"#)),
        );
        let offers = |formats: &[WireFormat]| Offers { formats: formats.to_vec(), ..Offers::default() };
        assert_eq!(format(&plain, &offers(&[WireFormat::QDataStream])), (None, vec![]));
        let web = offers(&[WireFormat::WebSocket]);
        assert_eq!(format(&plain, &web), (Some(WireFormat::WebSocket), vec![]));
        assert_eq!(format(&raw, &web).0, None);
        assert_eq!(format(&raw, &web).1.len(), 1);
        assert_eq!(format(&plain, &offers(&[])).1.len(), 1);
    }

    #[test]
    fn times_are_more_than_nothing() {
        let parse = |quiet: &str| Line::try_parse_from(["conform", "--quiet", quiet, "x"]);
        assert_eq!(parse("0.5").unwrap().arguments.quiet, Duration::from_millis(500));
        for wrong in ["0", "-1", "x", "1e300", "NaN"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
