//! `faf-lobby serve`.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;

use faf_protocol::WireFormat;

use super::print_line;
use super::reload::{Cause, Reload};
use super::service_manager::ServiceManager;
use super::signals::{Request, Signals};
use crate::config::faf::Unused;
use crate::config::{Banner, Effective, Problems, Settings};
use crate::exit_code::Failure;
use crate::ops::log::Log;
use crate::server::{Listening, Pulse, Reconfigure, Server, Service, Shutdown};
use crate::store::Database;
use crate::version::{self, PARTS};

/// Number of tasks that a thread runs before it checks for network input. There may be dozens with
/// large messages, and a ping must not wait for all of them.
const EVENT_INTERVAL: u32 = 8;

pub(super) fn run(
    configuration: Effective,
    read: impl Fn() -> Result<Effective, Problems> + Send + 'static,
) -> Result<(), Failure> {
    let settings = configuration.settings();
    let log = Log::start(&settings)?;
    log_configuration(&configuration);
    run_to_the_end(serve(settings, Reload::new(read, configuration, log)))
}

pub(super) fn run_to_the_end(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().event_interval(EVENT_INTERVAL).enable_all().build()?;
    let ended = runtime.block_on(work);
    // Tasks still running, such as a query whose result is not needed, do not delay the end.
    runtime.shutdown_background();
    ended
}

async fn serve(settings: Settings, reload: Reload) -> Result<(), Failure> {
    let (database, path) = (settings.database(), settings.websocket_path.clone());
    let shown = settings.banner;
    let mut signals = Signals::new()?;
    let server = tokio::select! {
        server = Server::start(settings) => server?,
        // It may be waiting for the database.
        () = signals.end() => return Ok(()),
    };
    log_listening(server.listening());
    let accounts = server.store().count_accounts().await?;
    tracing::info!(accounts, "ready");
    let text = banner(server.listening(), &path, &database, accounts, &ProgramNames::find());
    print_banner(shown, server.listening(), &path, &text);
    let handles = Handles {
        shutdown: server.shutdown(),
        reconfigure: server.reconfigure(),
        pulse: server.pulse(),
        ends_after: "waiting for live games to end",
    };
    attend(handles, server.wait(), signals, reload).await
}

/// Handles of a running server.
pub(super) struct Handles {
    pub(super) shutdown: Shutdown,
    pub(super) reconfigure: Reconfigure,
    pub(super) pulse: Pulse,
    /// Text for people: for what a shutdown waits.
    pub(super) ends_after: &'static str,
}

/// Reports a server that is ready to the service manager, and passes signals and changes of the
/// configuration on to it until it has ended.
pub(super) async fn attend(
    Handles { shutdown, reconfigure, pulse, ends_after }: Handles,
    server: impl Future<Output = Result<(), Failure>>,
    mut signals: Signals,
    mut reload: Reload,
) -> Result<(), Failure> {
    let manager = ServiceManager::find();
    manager.ready();
    let watchdog = tokio::spawn(manager.clone().feed_watchdog(pulse));
    let signalled = tokio::spawn(async move {
        loop {
            let cause = tokio::select! {
                request = signals.next() => match request {
                    Request::End => {
                        manager.stopping(ends_after);
                        shutdown.request().await;
                        continue;
                    }
                    Request::Reload => Cause::Signal,
                },
                () = reload.next() => Cause::Timer,
            };
            if cause == Cause::Signal {
                manager.reloading();
            }
            reload.apply(cause, &reconfigure).await;
            if cause == Cause::Signal {
                manager.ready();
            }
        }
    });
    let ended = server.await;
    tracing::info!("stopped");
    watchdog.abort();
    signalled.abort();
    // This ends the log, after everything is written.
    let _ = signalled.await;
    ended
}

/// Prints the addresses of a server that is ready, if they are wanted.
pub(super) fn print_banner(shown: Banner, listening: &[Listening], websocket_path: &str, text: &str) {
    match shown {
        Banner::OnTerminal if io::stdout().is_terminal() => print_line(text.trim_end()),
        Banner::Always => print_line(text.trim_end()),
        Banner::Json => print_line(&ready_line(listening, websocket_path, text)),
        Banner::OnTerminal | Banner::Never => {}
    }
}

/// Logs the version, the database, and the settings that differ from the defaults.
pub(super) fn log_configuration(configuration: &Effective) {
    let database = match configuration.settings().database() {
        Database::File(path) => Database::File(std::path::absolute(&path).unwrap_or(path)),
        other => other,
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        parts = PARTS,
        image = version::of_image(),
        process = std::process::id(),
        %database,
        "starting"
    );
    log_settings(configuration);
}

/// Logs the settings that differ from the defaults.
pub(super) fn log_settings(configuration: &Effective) {
    for (setting, value, origin) in configuration.set() {
        tracing::info!(setting, value, %origin, "configured");
    }
    log_unused(configuration.unused());
}

/// Logs the keys of FAF's configuration that are set and have no effect.
pub(super) fn log_unused<'a>(unused: impl IntoIterator<Item = &'a Unused>) {
    for Unused { key, origin, reason } in unused {
        tracing::warn!(key, %origin, reason, "a key of FAF's configuration has no effect");
    }
}

/// Logs the addresses of the listeners.
pub fn log_listening(listening: &[Listening]) {
    for Listening { service, address } in listening {
        match service {
            Service::Lobby(format) => tracing::info!(%address, %format, "listening"),
            service => tracing::info!(%address, "listening for {}", service.name()),
        }
    }
}

/// Commands that call the server and `faf-wire` from where this program was started.
#[derive(Debug, Clone, Copy)]
pub struct ProgramNames {
    /// Command that calls the server.
    pub lobby: &'static str,
    wire: &'static str,
}

impl ProgramNames {
    /// Returns calls through cargo if cargo runs this program, otherwise the names of the
    /// installed programs.
    #[must_use]
    pub fn find() -> Self {
        // Cargo sets this for the programs it runs.
        match std::env::var_os("CARGO") {
            Some(_) => {
                Self { lobby: "cargo run --release --", wire: "cargo run --release --bin faf-wire --" }
            }
            None => Self { lobby: "faf-lobby", wire: "faf-wire" },
        }
    }
}

/// Returns the addresses of the listeners, and the next steps to try.
fn banner(
    listening: &[Listening],
    websocket_path: &str,
    database: &Database,
    accounts: u32,
    calls: &ProgramNames,
) -> String {
    let mut text = addresses(listening, websocket_path);
    text += &format!("  {:<12} {database}, {accounts} accounts\n", "database");
    text += "\nTry next:\n";
    if accounts == 0 {
        let add = format!("{} user add NAME --database {database}", calls.lobby);
        text += &next_step("add an account", &add);
    }
    text + &last_steps(listening, websocket_path, "--user NAME", calls)
}

/// Returns the lines of a banner with the addresses of the listeners.
#[must_use]
pub fn addresses(listening: &[Listening], websocket_path: &str) -> String {
    let text = format!("faf-lobby {} is ready.\n\n", env!("CARGO_PKG_VERSION"));
    text + &urls(listening, websocket_path, ", also /ready, /health, /metrics, /status, /players, /games")
}

/// Returns lines with the URLs of the listeners; `also` follows that of the HTTP interface.
pub(super) fn urls(listening: &[Listening], websocket_path: &str, also: &str) -> String {
    let mut text = String::new();
    for listening in listening {
        let (name, url) = named(listening, websocket_path);
        let also = match listening.service {
            Service::Lobby(_) | Service::Health | Service::Control | Service::Metrics => "",
            Service::Http => also,
        };
        text += &format!("  {name:<12} {url}{also}\n");
    }
    text
}

/// Returns one line for a program that waits until the server is ready, with the listeners' URLs;
/// `text` is the banner for people.
#[must_use]
pub fn ready_line(listening: &[Listening], websocket_path: &str, text: &str) -> String {
    let mut urls = serde_json::Map::new();
    for (name, url) in listening.iter().map(|listening| named(listening, websocket_path)) {
        // The first of several addresses of a service.
        urls.entry(name).or_insert(url.into());
    }
    serde_json::json!({"ready": true, "listening": urls, "text": text}).to_string()
}

/// Returns the name of a service in the settings, and its URL.
fn named(listening: &Listening, websocket_path: &str) -> (&'static str, String) {
    let address = &listening.address;
    match listening.service {
        Service::Lobby(format) => (format.name(), url(format, address, websocket_path)),
        Service::Http | Service::Control | Service::Metrics => {
            (listening.service.name(), format!("http://{address}/"))
        }
        Service::Health => ("health", format!("http://{address}/ready")),
    }
}

/// Returns the last lines of a banner, with next steps to try; `login` holds the flags of the
/// account to log in with.
#[must_use]
pub fn last_steps(
    listening: &[Listening],
    websocket_path: &str,
    login: &str,
    ProgramNames { lobby, wire }: &ProgramNames,
) -> String {
    let mut urls = listening.iter().filter_map(|Listening { service, address }| match service {
        Service::Lobby(format) => Some(url(*format, address, websocket_path)),
        Service::Http | Service::Health | Service::Control | Service::Metrics => None,
    });
    let watch =
        urls.next_back().map(|url| next_step("log in and watch", &format!("{wire} connect {url} {login}")));
    watch.unwrap_or_default() + &next_step("see all settings", &format!("{lobby} config"))
}

fn next_step(what: &str, command: &str) -> String {
    format!("  {what:<17} {command}\n")
}

fn url(format: WireFormat, address: &SocketAddr, websocket_path: &str) -> String {
    let path = if format.has_upgrade() { websocket_path } else { "" };
    format!("{}://{address}{path}", format.scheme())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_banner_suggests_next_steps() {
        let listening = |service, address: &str| Listening { service, address: address.parse().unwrap() };
        let all = [
            listening(Service::Lobby(WireFormat::SimpleJson), "127.0.0.1:8002"),
            listening(Service::Lobby(WireFormat::WebSocket), "[::1]:8003"),
            listening(Service::Http, "127.0.0.1:8011"),
        ];
        let calls = ProgramNames { lobby: "faf-lobby", wire: "faf-wire" };
        let banner = |accounts| banner(&all, "/ws", &Path::new("a.sqlite").into(), accounts, &calls);
        let text = banner(0);
        for part in
            ["tcp://127.0.0.1:8002", "ws://[::1]:8003/ws", "user add NAME --database a.sqlite", "/ready"]
        {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(!banner(3).contains("add an account"));
        let line: serde_json::Value = serde_json::from_str(&ready_line(&all, "/ws", "text")).unwrap();
        let urls = serde_json::json!({
            "simple-json": "tcp://127.0.0.1:8002",
            "websocket": "ws://[::1]:8003/ws",
            "http": "http://127.0.0.1:8011/",
        });
        assert_eq!(line, serde_json::json!({"ready": true, "listening": urls, "text": "text"}));
    }
}
