//! `faf-lobby serve`.

use std::io::{self, IsTerminal};
use std::path::Path;

use faf_protocol::WireFormat;
use tokio::signal::unix::{SignalKind, signal};

use super::say;
use crate::exit_code::{self, Failure};
use crate::server::{Listening, Server, Service, Shutdown};
use crate::settings::Settings;

/// Files that are open besides connections: the database, listeners, the log.
const OTHER_FILES: u64 = 100;

pub(super) fn run(settings: Settings) -> Result<(), Failure> {
    let filter = settings.log_filter();
    let filter =
        filter.map_err(|error| Failure::new(exit_code::CONFIGURATION, anyhow::anyhow!("log: {error}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    raise_file_limit(settings.connection_limit);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(anyhow::Error::from)?;
    let ended = runtime.block_on(serve(settings));
    // What still runs, such as a query nobody waits for, does not hold up the end.
    runtime.shutdown_background();
    ended
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let (database, path) = (settings.database.clone(), settings.websocket_path.clone());
    let mut signals = Signals::new()?;
    let server = Server::start(settings).await?;
    for Listening { service, address } in server.listening() {
        match service {
            Service::Lobby(format) => tracing::info!(%address, %format, "listening"),
            Service::Http => tracing::info!(%address, "listening for http"),
        }
    }
    let accounts = server.store().count_accounts().await;
    let accounts = accounts.map_err(|error| Failure::new(exit_code::DATABASE, error))?;
    say(banner(server.listening(), &path, &database, accounts, &Calls::find()).trim_end());
    let shutdown = server.shutdown();
    let signalled = tokio::spawn(async move { signals.pass_on(&shutdown).await });
    let ended = server.wait().await;
    signalled.abort();
    tracing::info!("stopped");
    ended
}

/// Signals that ask a server to shut down.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let watch = |kind| signal(kind).map_err(anyhow::Error::from);
        Ok(Self { terminate: watch(SignalKind::terminate())?, interrupt: watch(SignalKind::interrupt())? })
    }

    async fn pass_on(&mut self, shutdown: &Shutdown) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            shutdown.request().await;
        }
    }
}

/// Lets the process hold as many connections as it is allowed to.
fn raise_file_limit(connections: usize) {
    let wanted = connections as u64 + OTHER_FILES;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit < wanted => {
            tracing::info!(limit, "fewer files may be open than connection_limit needs; see `ulimit -n`");
        }
        Ok(_) => {}
        Err(error) => tracing::info!(%error, "the limit of open files cannot be raised"),
    }
}

/// How this program and its companion are called, as far as whoever started it is concerned.
struct Calls {
    lobby: &'static str,
    wire: &'static str,
}

impl Calls {
    fn find() -> Self {
        // Cargo says so to what it runs.
        match std::env::var_os("CARGO") {
            Some(_) => Self { lobby: "cargo run --release --", wire: "cargo run --release -p faf-wire --" },
            None => Self { lobby: "faf-lobby", wire: "faf-wire" },
        }
    }
}

/// What listens where, and what to try next.
fn banner(
    listening: &[Listening],
    websocket_path: &str,
    database: &Path,
    accounts: u32,
    Calls { lobby, wire }: &Calls,
) -> String {
    let mut text = format!("faf-lobby {} is ready.\n\n", env!("CARGO_PKG_VERSION"));
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<12} {value}\n"));
    let mut urls = Vec::new();
    for Listening { service, address } in listening {
        match service {
            Service::Lobby(format) => {
                let url = match format {
                    WireFormat::QDataStream => format!("qdatastream://{address}"),
                    WireFormat::SimpleJson => format!("tcp://{address}"),
                    WireFormat::WebSocket => format!("ws://{address}{websocket_path}"),
                };
                line(format.name(), &url);
                urls.push(url);
            }
            Service::Http => {
                line(
                    "http",
                    &format!("http://{address}/, also /ready, /health, /metrics, /status, /players, /games"),
                );
            }
        }
    }
    line("database", &format!("{}, {accounts} accounts", database.display()));
    text.push_str("\nTry next:\n");
    let mut next = |what: &str, command: &str| text.push_str(&format!("  {what:<17} {command}\n"));
    if accounts == 0 {
        next("make an account", &format!("{lobby} user add NAME --database {}", database.display()));
    }
    if let Some(url) = urls.last() {
        next("log in and watch", &format!("{wire} connect {url} --user NAME"));
    }
    next("see all settings", &format!("{lobby} config"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_says_what_to_try_next() {
        let listening = |service, address: &str| Listening { service, address: address.parse().unwrap() };
        let all = [
            listening(Service::Lobby(WireFormat::SimpleJson), "127.0.0.1:8002"),
            listening(Service::Lobby(WireFormat::WebSocket), "[::1]:8003"),
            listening(Service::Http, "127.0.0.1:8011"),
        ];
        let calls = Calls { lobby: "faf-lobby", wire: "faf-wire" };
        let banner = |accounts| banner(&all, "/ws", Path::new("a.sqlite"), accounts, &calls);
        let text = banner(0);
        for part in
            ["tcp://127.0.0.1:8002", "ws://[::1]:8003/ws", "user add NAME --database a.sqlite", "/ready"]
        {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(!banner(3).contains("make an account"));
    }
}
