//! The server of a session: where it listens, and its processes if it was started for the session.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use faf_client::Url;
use faf_conformance::needs::KEY_SET;
use faf_conformance::sessions::Session;
use faf_conformance::{HookError, Offers, ServerUnderTest, Settings, http};
use faf_protocol::WireFormat;
use faf_sessions::transcript::{Connect, Http, Record};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use super::Arguments;

/// Time that a server has to end.
const TIME_TO_END: Duration = Duration::from_secs(10);

/// Time between two attempts to connect to a server that starts.
const PAUSE: Duration = Duration::from_millis(50);

/// Where a server listens.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses {
    plain: Vec<Url>,
    proxied: Vec<Url>,
    /// Host and port of the pages.
    pages: Option<String>,
    /// Whether it is not known yet where the server listens.
    is_any: bool,
}

impl Addresses {
    /// The addresses of a server that has not been started yet, and may listen anywhere.
    pub(super) fn any() -> Self {
        Self { is_any: true, ..Self::default() }
    }

    /// Returns what a server at these addresses offers.
    pub(super) fn offers(&self, settings: Settings, is_started: bool) -> Offers {
        let formats = |urls: &[Url]| match self.is_any {
            true => WireFormat::ALL.to_vec(),
            false => urls.iter().map(Url::format).collect(),
        };
        Offers {
            formats: formats(&self.plain),
            proxied_formats: formats(&self.proxied),
            pages: self.pages.is_some(),
            signal: is_started,
            settings,
            ..Offers::default()
        }
    }

    /// Adds the URL of a listener by its name; URLs of unknown schemes do not matter.
    fn add(&mut self, name: &str, url: &str) {
        if let Some(rest) = url.strip_prefix("http://") {
            let authority = rest.split('/').next().unwrap_or_default();
            if name == "http" {
                self.pages = Some(authority.to_owned());
            }
        } else if let Ok(url) = url.parse() {
            if name.ends_with("proxy") { self.proxied.push(url) } else { self.plain.push(url) }
        }
    }
}

/// A server, with its processes if it was started for the session.
#[derive(Debug)]
pub(super) struct Server {
    addresses: Addresses,
    settings: Settings,
    processes: Option<Processes>,
}

impl Server {
    /// Starts the server of a session, if there is a command for it, and waits until it is ready.
    pub(super) async fn start(arguments: &Arguments, session: &Session) -> anyhow::Result<Self> {
        let mut addresses = Addresses {
            plain: arguments.to.clone(),
            proxied: arguments.proxy_to.clone(),
            pages: arguments.http.clone(),
            is_any: false,
        };
        let mut processes = None;
        if let Some(command) = &arguments.start {
            let mut started = Processes::start(command, arguments, session)?;
            let ready = timeout(arguments.start_timeout, started.ready(&mut addresses)).await;
            let ready = ready.unwrap_or_else(|_| {
                let seconds = arguments.start_timeout.as_secs_f64();
                Err(anyhow::anyhow!("not ready within {seconds} seconds"))
            });
            if let Err(error) = ready {
                started.stop().await;
                return Err(error.context("the server of --start"));
            }
            processes = Some(started);
        }
        Ok(Self { addresses, settings: arguments.settings(), processes })
    }

    /// Ends the processes of the server.
    pub(super) async fn stop(mut self) {
        if let Some(processes) = self.processes.take() {
            processes.stop().await;
        }
    }
}

impl ServerUnderTest for Server {
    fn offers(&self) -> Offers {
        self.addresses.offers(self.settings.clone(), self.processes.is_some())
    }

    fn url(&self, connect: &Connect) -> Option<Url> {
        let urls = if connect.proxy { &self.addresses.proxied } else { &self.addresses.plain };
        urls.iter().find(|url| url.format() == connect.format).cloned()
    }

    async fn page(&mut self, path: &str) -> Result<Http, HookError> {
        match &self.addresses.pages {
            Some(authority) => http::get(authority, path).await,
            None => Err(HookError::new("the server has no pages")),
        }
    }

    async fn signal(&mut self) -> Result<(), HookError> {
        match &self.processes {
            Some(processes) => processes.signal("TERM").await,
            None => Err(HookError::new("the server was not started here")),
        }
    }
}

/// A command and everything that it has started: a process group.
#[derive(Debug)]
struct Processes {
    child: Child,
    group: u32,
    has_ended: bool,
    output: Option<Lines<BufReader<ChildStdout>>>,
}

/// The line that a command prints when the server is ready.
#[derive(Debug, Deserialize)]
struct Ready {
    ready: bool,
    #[serde(default)]
    listening: BTreeMap<String, String>,
}

impl Processes {
    fn start(
        command: &str,
        arguments: &Arguments,
        Session { name, transcript }: &Session,
    ) -> anyhow::Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped());
        #[cfg(unix)]
        shell.process_group(0);
        shell.env("FAF_SESSION", name);
        if let Some(seed) = &arguments.seed {
            shell.env("FAF_SEED", seed);
        }
        for (name, value) in transcript.overrides.as_object().into_iter().flatten() {
            shell.env(format!("FAF_SETTING_{name}"), value.to_string());
        }
        for record in &transcript.records {
            if let Record::Keys(keys) = record
                && arguments.applies.iter().any(|name| name == KEY_SET)
            {
                shell.env("FAF_KEY_SET", keys.to_string());
            }
        }
        let mut child = shell.spawn().context("sh cannot be started")?;
        let group = child.id().context("the server has ended")?;
        let output = child.stdout.take().map(|output| BufReader::new(output).lines());
        Ok(Self { child, group, has_ended: false, output })
    }

    /// Waits until the server is ready; adds the addresses that it prints.
    async fn ready(&mut self, addresses: &mut Addresses) -> anyhow::Result<()> {
        let known: Vec<Url> = addresses.plain.iter().chain(&addresses.proxied).cloned().collect();
        tokio::select! {
            read = self.read_addresses(addresses) => read,
            () = accept(&known), if !known.is_empty() => Ok(()),
        }?;
        // A server that prints more must not wait for a reader.
        if let Some(mut output) = self.output.take() {
            tokio::spawn(async move { while let Ok(Some(_)) = output.next_line().await {} });
        }
        Ok(())
    }

    async fn read_addresses(&mut self, addresses: &mut Addresses) -> anyhow::Result<()> {
        let Some(output) = &mut self.output else { bail!("it has no output") };
        while let Some(line) = output.next_line().await? {
            let ready = serde_json::from_str::<Ready>(&line).ok().filter(|ready| ready.ready);
            if let Some(ready) = ready {
                for (name, url) in ready.listening {
                    addresses.add(&name, &url);
                }
                return Ok(());
            }
        }
        bail!("it ended before it was ready, with {}", self.child.wait().await?)
    }

    /// Sends a signal to all processes.
    async fn signal(&self, name: &str) -> Result<(), HookError> {
        // Not every machine has `kill` as a program, but every shell has it built in.
        let line = format!("kill -s {name} -- -{}", self.group);
        let status = Command::new("sh").args(["-c", &line]).stderr(Stdio::null()).status().await;
        match status {
            Ok(status) if status.success() => Ok(()),
            _ => Err(HookError::new("the signal cannot be sent")),
        }
    }

    async fn stop(mut self) {
        // A server that has ended already gets no signal. The shell may end before what it
        // has started.
        let ended = async {
            let _ = self.signal("TERM").await;
            let _ = self.child.wait().await;
            while self.signal("0").await.is_ok() {
                sleep(PAUSE).await;
            }
        };
        if timeout(TIME_TO_END, ended).await.is_err() {
            let _ = self.signal("KILL").await;
            let _ = self.child.wait().await;
        }
        self.has_ended = true;
    }
}

/// If the tool is interrupted, the server gets the signal that ends a session.
impl Drop for Processes {
    fn drop(&mut self) {
        if !self.has_ended {
            let line = format!("kill -s TERM -- -{}", self.group);
            let _ = std::process::Command::new("sh").args(["-c", &line]).stderr(Stdio::null()).status();
        }
    }
}

/// Waits until all addresses accept connections.
async fn accept(urls: &[Url]) {
    for url in urls {
        while TcpStream::connect((url.host(), url.port())).await.is_err() {
            sleep(PAUSE).await;
        }
    }
}
