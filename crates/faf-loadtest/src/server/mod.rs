//! The server under load: a running one, or one that is started with its own accounts.

mod cluster;
pub(crate) mod floor_server;
mod hanging_database;
pub(crate) mod process;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use faf_protocol::WireFormat;
use faf_testkit::services::mariadb::{MariaServer, PASSWORD, USER};
use faf_testkit::serving::Serving;
use faf_testkit::token::JWKS;
use serde_json::json;
use tempfile::TempDir;

use crate::options::{Format, ServerOptions};
use crate::server::cluster::Cluster;
use crate::server::hanging_database::HangingDatabase;
use crate::server::process::Process;
use crate::swarm::address::Endpoint;

/// Name of a started server's database in its folder.
const DATABASE: &str = "faf-lobby.sqlite";

/// Version of FAF's schema in a started database.
const NEWEST_SCHEMA: u32 = 146;

/// Number of administrators, which are the first accounts.
pub(crate) const ADMINISTRATORS: u32 = 4;

/// Flags of every started server. It logs only errors, because the log is not read.
const ALWAYS: [&str; 6] = [
    "--qdatastream=127.0.0.1:0",
    "--simple-json=127.0.0.1:0",
    "--websocket=127.0.0.1:0",
    "--http=127.0.0.1:0",
    "--jwks=keys.json",
    "--log=error",
];

/// The data of a started server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accounts {
    /// Number of accounts.
    pub(crate) number: u32,
    /// Whether there are queues in which the players can search.
    pub(crate) have_queues: bool,
}

/// Queues for one and two players a team, as a seed.
const QUEUES: &str = include_str!("queues.json");

/// A server with its addresses.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) process: Option<Process>,
    started: Option<Started>,
}

/// A started server. It is killed when this is dropped.
#[derive(Debug)]
struct Started {
    serving: Option<Serving>,
    /// The other processes, if it is one of several.
    cluster: Option<Cluster>,
    gateways: Option<u16>,
    program: PathBuf,
    arguments: Vec<String>,
    formats: Vec<WireFormat>,
    folder: TempDir,
    /// Ends after the server.
    database: Option<MariaDb>,
}

/// A database server for the lobby server under load.
#[derive(Debug)]
struct MariaDb {
    url: String,
    _server: Arc<MariaServer>,
}

impl Target {
    /// Uses the running server, or starts one with these accounts, and with these arguments before
    /// the user's own.
    pub(crate) fn open(
        options: &ServerOptions,
        accounts: Accounts,
        arguments: &[String],
    ) -> anyhow::Result<Self> {
        let Some(program) = &options.start else {
            let endpoints = chosen(&options.url, options.format)?;
            return Ok(Self { endpoints, process: options.pid.map(Process), started: None });
        };
        let program = program.canonicalize().with_context(|| format!("no program {}", program.display()))?;
        let database = options.mariadb.then(MariaDb::start);
        let folder = install(&program, accounts, database.as_ref())?;
        let arguments = arguments.iter().chain(&options.server_arg).cloned().collect();
        let formats = options.format.unwrap_or(Format::Tcp).wire_formats().to_vec();
        let gateways = options.gateways;
        let mut started =
            Started { serving: None, cluster: None, gateways, program, arguments, formats, folder, database };
        let (endpoints, process) = started.serve()?;
        Ok(Self { endpoints, process: Some(process), started: Some(started) })
    }

    /// The minimal broadcaster, which is not a lobby.
    pub(crate) fn floor(serving: &Serving) -> anyhow::Result<Self> {
        let endpoints =
            serving.urls().map(str::parse).collect::<Result<_, _>>().map_err(anyhow::Error::msg)?;
        Ok(Self { endpoints, process: Some(Process(serving.process())), started: None })
    }

    /// Kills the server without warning, and starts it again with its stored data.
    pub(crate) fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        let Some(started) = &mut self.started else {
            bail!("only a server that was started with --start can be killed")
        };
        started.serving = None;
        started.cluster = None;
        let (endpoints, process) = started.serve()?;
        (self.endpoints, self.process) = (endpoints, Some(process));
        Ok(())
    }

    /// Locks the database for some time, so that the server cannot write to it.
    pub(crate) fn hang_database(&self, time: Duration) -> anyhow::Result<HangingDatabase> {
        let Some(started) = self.started.as_ref().filter(|started| started.database.is_none()) else {
            bail!("only the file of a server that was started with --start can be locked")
        };
        HangingDatabase::hold(&started.folder.path().join(DATABASE), time)
    }
}

impl MariaDb {
    fn start() -> Self {
        let server = Arc::new(MariaServer::start_durable());
        let database = server.database(NEWEST_SCHEMA);
        let url = format!("mysql://{USER}@127.0.0.1:{}/{}", server.port(), database.name);
        Self { url, _server: server }
    }

    /// Lets a program use the database.
    fn pass_to(&self, command: &mut Command) {
        command.env("FAF_LOBBY_DATABASE", &self.url).env("FAF_LOBBY_DATABASE_PASSWORD", PASSWORD);
    }
}

impl Started {
    fn serve(&mut self) -> anyhow::Result<(Vec<Endpoint>, Process)> {
        if let Some(gateways) = self.gateways {
            let cluster = Cluster::start(&self.program, self.folder.path(), &self.arguments, gateways)?;
            let endpoints = cluster.endpoints(&self.formats)?;
            let process = cluster.first_gateway();
            self.cluster = Some(cluster);
            return Ok((endpoints, process));
        }
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).arg("serve").args(ALWAYS).args(&self.arguments);
        if let Some(database) = &self.database {
            database.pass_to(&mut command);
        }
        let serving = Serving::start(&mut command);
        let endpoints = endpoints(&serving, &self.formats)?;
        let process = Process(serving.process());
        self.serving = Some(serving);
        Ok((endpoints, process))
    }
}

/// Returns where a server listens for these wire formats.
fn endpoints(serving: &Serving, formats: &[WireFormat]) -> anyhow::Result<Vec<Endpoint>> {
    // The URL for HTTP has no wire format.
    let all: Vec<Endpoint> = serving.urls().filter_map(|url| url.parse().ok()).collect();
    let endpoint = |format: &WireFormat| {
        let found = all.iter().find(|endpoint| endpoint.format() == *format).cloned();
        found.with_context(|| format!("the server does not listen for {format}"))
    };
    formats.iter().map(endpoint).collect()
}

fn chosen(urls: &[Endpoint], format: Option<Format>) -> anyhow::Result<Vec<Endpoint>> {
    let Some(format) = format else { return Ok(urls.to_vec()) };
    let is_meant = |url: &&Endpoint| format.wire_formats().contains(&url.format());
    let chosen: Vec<_> = urls.iter().filter(is_meant).cloned().collect();
    ensure!(!chosen.is_empty(), "none of the URLs has the format that --format asks for");
    Ok(chosen)
}

/// Creates a folder with keys and a database.
///
/// Accounts only have tokens and no passwords: hashing thousands of passwords would take longer
/// than everything else.
fn install(program: &Path, accounts: Accounts, database: Option<&MariaDb>) -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    std::fs::write(folder.path().join("keys.json"), JWKS)?;
    let users: Vec<_> = (1..=accounts.number.max(ADMINISTRATORS))
        .map(|id| {
            let groups: &[_] = if id <= ADMINISTRATORS { &["faf_server_administrators"] } else { &[] };
            json!({"id": id, "login": format!("player{id}"), "token_only": true, "groups": groups})
        })
        .collect();
    let mut data = if accounts.have_queues { serde_json::from_str(QUEUES)? } else { json!({}) };
    data["users"] = users.into();
    std::fs::write(folder.path().join("seed.json"), data.to_string())?;
    let mut seed = Command::new(program);
    if let Some(database) = database {
        database.pass_to(&mut seed);
    }
    let output = seed.current_dir(&folder).args(["seed", "seed.json"]).output();
    let output = output.with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(output.status.success(), "the seed is not taken: {}", String::from_utf8_lossy(&output.stderr));
    Ok(folder)
}
