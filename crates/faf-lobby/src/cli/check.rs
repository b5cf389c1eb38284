//! `faf-lobby check`: checks a configuration, and the files and services it names.

use std::fmt;
use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use super::print_line;
use crate::auth::tokens;
use crate::config::faf::Unused;
use crate::config::{Effective, Origin, Settings};
use crate::exit_code::{self, Failure};
use crate::net::sockets::listen_on;
use crate::store::Database;

/// Time limit for a service to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Results of the checks. Problems keep a server from working as configured; warnings may have
/// an explanation.
#[derive(Debug, Default)]
struct Findings {
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    fn problem(&mut self, setting: &str, problem: impl fmt::Display) {
        self.problems.push(format!("{setting}: {problem}"));
    }

    fn warning(&mut self, setting: &str, warning: impl fmt::Display) {
        self.warnings.push(format!("{setting}: {warning}"));
    }
}

pub(super) fn run(configuration: &Effective) -> Result<(), Failure> {
    let settings = &configuration.settings();
    let mut findings = Findings::default();
    for (setting, value, origin) in configuration.set() {
        print_line(&format!("{setting} = {value}  # {origin}").replace(char::is_control, "?"));
    }
    for Unused { key, origin, reason } in configuration.unused() {
        findings.warning(key, format!("{reason}; it has no effect ({origin})"));
    }
    database(settings, &mut findings);
    recording(settings, &mut findings);
    geoip(configuration, settings, &mut findings);
    services(settings, &mut findings);
    broker(settings, &mut findings);
    log(settings, &mut findings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(ports(settings, &mut findings));
    for warning in &findings.warnings {
        // A closed standard error is not an error.
        let _ = writeln!(std::io::stderr(), "faf-lobby: warning: {warning}");
    }
    if findings.problems.is_empty() {
        print_line("configuration OK");
        return Ok(());
    }
    let problems = findings.problems.join("\n  ");
    Err(Failure::new(
        exit_code::CONFIGURATION,
        anyhow::anyhow!("the configuration does not work:\n  {problems}"),
    ))
}

fn database(settings: &Settings, findings: &mut Findings) {
    let database = settings.database();
    if let Some(owner) = database.owner() {
        findings.warning("database", format!("{database} is in use by {owner}"));
    }
    let checked = match &database {
        Database::File(path) if !path.exists() => is_writable(folder_of(path)).map(|()| None),
        existing => existing.inspect(),
    };
    match checked {
        Ok(Some(advice)) => findings.warning("database", format!("{database}: {advice}")),
        Ok(None) => {}
        Err(problem) => findings.problem("database", format!("{database}: {problem}")),
    }
}

fn recording(settings: &Settings, findings: &mut Findings) {
    if settings.recording.as_os_str().is_empty() {
        return;
    }
    // Missing folders are created.
    let existing = settings.recording.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    if let Err(problem) = is_writable(existing) {
        findings.problem("recording", format!("{}: {problem}", settings.recording.display()));
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Creates a file in the folder, and removes it again.
fn is_writable(folder: &Path) -> Result<(), String> {
    let made = tempfile::Builder::new().prefix(".faf-lobby-check-").tempfile_in(folder);
    made.map(drop).map_err(|error| format!("nothing can be written to {}: {error}", folder.display()))
}

fn geoip(configuration: &Effective, settings: &Settings, findings: &mut Findings) {
    let path = &settings.geoip_database;
    let shown = path.display();
    if path.as_os_str().is_empty() {
        return;
    }
    let is_downloaded = !settings.geoip_licence_key.reveal().is_empty();
    // FAF's default names a file that need not exist.
    let is_default =
        matches!(configuration.origin("geoip_database"), Origin::Faf(keys) if keys[0].1 == Origin::Default);
    if is_downloaded && let Err(problem) = is_writable(folder_of(path)) {
        findings.problem("geoip_database", format!("{shown}: it cannot be downloaded: {problem}"));
    }
    match maxminddb::Reader::open_readfile(path) {
        Ok(_) => {}
        Err(_) if !path.exists() && is_downloaded => {
            findings
                .warning("geoip_database", format!("{shown}: it does not exist yet, and will be downloaded"));
        }
        Err(_) if !path.exists() && is_default => {
            findings
                .warning("geoip_database", format!("{shown}: it does not exist, so countries are unknown"));
        }
        Err(error) => findings.problem("geoip_database", format!("{shown}: {error}")),
    }
}

/// Checks the services that the server calls. They may be unavailable just now, which the
/// server tolerates.
fn services(settings: &Settings, findings: &mut Findings) {
    if !settings.jwks.is_empty() {
        match tokens::try_keys(&settings.jwks) {
            Ok((usable, useless)) => {
                useless.into_iter().for_each(|why| findings.warning("jwks", why));
                if usable == 0 {
                    let none = "it has no usable key: nobody can log in with a token";
                    findings.warning("jwks", none);
                }
            }
            Err(error) => findings.warning("jwks", format!("the keys cannot be read now: {error}")),
        }
    }
    for (setting, url) in [
        ("policy_server", &settings.policy_server),
        ("www_url", &settings.www_url),
        ("content_url", &settings.content_url),
    ] {
        if url.is_empty() && setting == "policy_server" {
            continue;
        }
        let parsed: Option<hyper::Uri> = url.parse().ok();
        let parts = parsed.as_ref().and_then(|url| Some((url.host()?, url.scheme_str()?, url.port_u16())));
        let Some((host, scheme @ ("http" | "https"), port)) = parts else {
            findings.problem(setting, format!("`{url}` is not a URL such as https://example.org"));
            continue;
        };
        let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
        // The others are only sent to clients.
        if setting == "policy_server"
            && let Err(error) = reach(host, port)
        {
            findings.warning(setting, format!("{host}:{port} cannot be reached now: {error}"));
        }
    }
}

/// Checks that something listens at the address of the broker.
fn broker(settings: &Settings, findings: &mut Findings) {
    let (host, port) = (&settings.broker_host, settings.broker_port);
    if !host.is_empty()
        && let Err(error) = reach(host, port)
    {
        findings.warning("broker_host", format!("{host}:{port} cannot be reached now: {error}"));
    }
}

fn reach(host: &str, port: u16) -> std::io::Result<()> {
    let mut addresses = (host.trim_matches(['[', ']']), port).to_socket_addrs()?;
    let address = addresses.next().ok_or(std::io::ErrorKind::NotFound)?;
    TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map(drop)
}

fn log(settings: &Settings, findings: &mut Findings) {
    for target in settings.unknown_log_targets() {
        findings.warning("log", format!("there is no log target `{target}`; its directive has no effect"));
    }
}

async fn ports(settings: &Settings, findings: &mut Findings) {
    let mut held = Vec::new();
    for (setting, listen) in settings.listens() {
        match listen_on(listen).await {
            // Held until all are checked.
            Ok(sockets) => held.push(sockets),
            Err(failure) if failure.to_string().contains("another server") => {
                findings.warning(setting, format!("{failure}; or is it this server, already running?"));
            }
            Err(failure) => findings.problem(setting, failure),
        }
    }
}
