//! The log: lines on standard error, as text for people or as JSON for programs.
//!
//! Every entry is one line, whatever it contains: much of it is text of clients, in which the log
//! [escapes](faf_lobby_core::escaped) characters that would begin a line, reach the terminal as a
//! command, or be invisible.

use std::fmt::{self, Write};
use std::io::{self, IsTerminal};

use faf_lobby_core::{LogLine, escaped};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, Settings};
use crate::exit_code::{self, Failure};

/// Target of log lines of the lobby.
const LOBBY: &str = "faf_lobby::lobby";

/// Number of lines that may wait to be written, some megabytes.
const LINES: usize = 16 * 1024;

/// The log of this process. A separate thread writes the lines that are logged until this is
/// dropped, so that the server continues when nobody reads its log; lines beyond some ten thousand
/// are then lost.
pub(crate) struct Log {
    filter: reload::Handle<Targets, Registry>,
    _guard: WorkerGuard,
}

impl Log {
    /// Starts the log; once in a process.
    ///
    /// # Errors
    /// [`Failure`] if the setting cannot be understood.
    pub(crate) fn start(settings: &Settings) -> Result<Self, Failure> {
        let filter = settings.log_filter();
        let filter = filter
            .map_err(|error| Failure::new(exit_code::CONFIGURATION, anyhow::anyhow!("log: {error}")))?;
        let (log, guard) = NonBlockingBuilder::default().buffered_lines_limit(LINES).finish(io::stderr());
        let (targets, filter) = reload::Layer::new(filter);
        let output = tracing_subscriber::fmt::layer()
            .with_writer(log)
            .with_ansi(io::stderr().is_terminal())
            .event_format(Lines(settings.log_format));
        tracing_subscriber::registry().with(targets).with(output).init();
        Ok(Self { filter, _guard: guard })
    }

    /// Changes the filter.
    ///
    /// # Errors
    /// A description, if the filter cannot be understood.
    pub(crate) fn filter(&self, settings: &Settings) -> Result<(), String> {
        self.filter.reload(settings.log_filter()?).map_err(|error| error.to_string())
    }
}

/// Formats the lines.
struct Lines(LogFormat);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let mut parts = Parts::default();
        event.record(&mut parts);
        match self.0 {
            LogFormat::Text => as_text(writer, &time, level, target, &parts),
            LogFormat::Json => as_json(writer, time, level, target, parts),
        }
    }
}

fn as_text(mut writer: Writer<'_>, time: &str, level: &Level, target: &str, parts: &Parts) -> fmt::Result {
    let (begin, end) = match (writer.has_ansi_escapes(), *level) {
        (true, Level::ERROR) => ("\x1b[31m", "\x1b[0m"),
        (true, Level::WARN) => ("\x1b[33m", "\x1b[0m"),
        (true, Level::INFO) => ("\x1b[32m", "\x1b[0m"),
        _ => ("", ""),
    };
    write!(writer, "{time} {begin}{:>5}{end} {target}: {}", level.as_str(), parts.message)?;
    for (name, value) in &parts.fields {
        match value {
            Value::String(text) if needs_quotes(text) => write!(writer, " {name}={}", quoted(text))?,
            Value::String(text) => write!(writer, " {name}={text}")?,
            other => write!(writer, " {name}={other}")?,
        }
    }
    writeln!(writer)
}

/// Returns whether the end of a value would be unclear without quotes.
fn needs_quotes(text: &str) -> bool {
    text.is_empty() || text.contains([' ', '"', '='])
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}

fn as_json(mut writer: Writer<'_>, time: String, level: &Level, target: &str, parts: Parts) -> fmt::Result {
    let mut line = Map::new();
    line.insert("time".to_owned(), time.into());
    line.insert("level".to_owned(), level.as_str().into());
    line.insert("target".to_owned(), target.into());
    line.insert("message".to_owned(), parts.message.into());
    for (name, value) in parts.fields {
        line.entry(name).or_insert(value);
    }
    writeln!(writer, "{}", Value::Object(line))
}

/// The parts of a line, escaped.
#[derive(Debug, Default)]
struct Parts {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Parts {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.push((field.name(), value.into()));
    }

    fn add_text(&mut self, field: &Field, text: &str) {
        let text = escaped(text).to_string();
        match field.name() {
            "message" => self.message = text,
            name => self.fields.push((name, text.into())),
        }
    }
}

impl Visit for Parts {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a string fails only if the value's `Debug` does; its output so far is shown.
        let _ = write!(text, "{value:?}");
        self.add_text(field, &text);
    }
}

/// Writes a line of the lobby into the log, at its level.
pub(crate) fn write(line: &LogLine) {
    match line {
        LogLine::LoggedIn { .. }
        | LogLine::LoggedOut { .. }
        | LogLine::Ejected { .. }
        | LogLine::Paced { .. }
        | LogLine::Admin { .. }
        | LogLine::NoPermission { .. }
        | LogLine::Shutdown { .. }
        | LogLine::GameOpened { .. }
        | LogLine::GameLaunched { .. }
        | LogLine::GameEnded { .. } => tracing::info!(target: LOBBY, "{line}"),
        // A target of its own, because the demo does not wait for the games of its bots.
        LogLine::GamesCutOff { .. } => tracing::warn!(target: "faf_lobby::shutdown", "{line}"),
        // `FailedLogins` logs these.
        LogLine::LoginFailed { .. } => {}
        LogLine::Banned { .. }
        | LogLine::Refused { .. }
        | LogLine::SentAway { .. }
        | LogLine::NotificationForNobody { .. }
        | LogLine::GameMessageIgnored { .. } => {
            tracing::debug!(target: LOBBY, "{line}");
        }
        LogLine::RoundsHeldBack { .. } => tracing::warn!(target: LOBBY, "{line}"),
        LogLine::InvalidVetoSettings { .. }
        | LogLine::GameRefused { .. }
        | LogLine::GamesNotStored { .. }
        | LogLine::UnknownRequest { .. } => {
            tracing::error!(target: LOBBY, "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the output without the time.
    fn written(format: LogFormat, log: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .event_format(Lines(format))
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    fn log() {
        let evil = "x\n2000-01-01T00:00:00Z ERROR forged \x1b[31m\r\u{2028}\u{202e}";
        tracing::info!(login = "Ada", said = "two words", evil, shown = %evil, debug = ?evil, number = 7, "{evil}");
    }

    #[test]
    fn every_entry_is_one_line() {
        let text = written(LogFormat::Text, log);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains(['\x1b', '\r', '\u{2028}', '\u{202e}']), "{text:?}");
        let shown = r"x\n2000-01-01T00:00:00Z ERROR forged \u{1b}[31m\r\u{2028}\u{202e}";
        let rest = format!(
            "INFO faf_lobby::ops::log::tests: {shown} login=Ada said=\"two words\" evil=\"{shown}\" shown=\"{shown}\""
        );
        assert!(text.split_once("Z  ").unwrap().1.starts_with(&rest), "{text}");
        assert!(text.ends_with(" number=7\n"), "{text}");
    }

    #[test]
    fn json_has_one_object_per_line() {
        let text = written(LogFormat::Json, log);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{202e}'), "{text:?}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&line["level"], &line["login"], &line["number"]),
            (&"INFO".into(), &"Ada".into(), &7.into())
        );
        assert!(line["message"].as_str().unwrap().ends_with(r"\u{202e}") && line["time"].is_string());
    }
}
