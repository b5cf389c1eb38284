//! A cluster of real processes: a NATS server, a database in a file, cores and gateways.

use std::process::{Command, Stdio};

use faf_lobby::store::facts::Facts;
use faf_lobby::store::{SeedFile, Store};
use faf_testkit::services::nats::NatsServer;
use faf_testkit::serving::Serving;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::games::MAP;
use crate::pairs::name;
use crate::support::{DATABASE, soon};

/// A NATS server, and what the processes of a cluster share.
pub(super) struct Parts {
    pub(super) nats: NatsServer,
    folder: TempDir,
}

/// A line of `faf-lobby cluster`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CoreLine {
    pub(super) name: String,
    pub(super) role: String,
    pub(super) epoch: u64,
}

impl Parts {
    /// Starts NATS, and creates a database with a ranked map and these pairs of players.
    pub(super) async fn new(pairs: u32) -> Self {
        let parts = Self { nats: NatsServer::start(), folder: tempfile::tempdir().unwrap() };
        let users: Vec<Value> =
            (1..=2 * pairs).map(|id| json!({"id": id, "login": name(id), "password": "secret"})).collect();
        let mut seed: Value = serde_json::from_str(MAP).unwrap();
        seed["users"] = users.into();
        let store = parts.store();
        store.seed(SeedFile::parse(&seed.to_string()).unwrap()).await.unwrap();
        assert!(store.checkpoint().await.unwrap());
        parts
    }

    /// Opens the database without a server.
    fn store(&self) -> Store {
        Store::open_file(&self.folder.path().join(DATABASE)).unwrap()
    }

    pub(super) async fn facts(&self) -> Facts {
        self.store().facts().await.unwrap()
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("FAF_LOBBY_")) {
            command.env_remove(variable);
        }
        command.args([name, "--nats", &self.nats.url()]).stdin(Stdio::null());
        command
    }

    /// Starts a core, which need not be the first.
    pub(super) fn core(&self) -> Serving {
        let mut command = self.command("core");
        // Each pair plays many games.
        command.args(["--rated-games-per-pair", "10000"]);
        command.arg("--database").arg(self.folder.path().join(DATABASE));
        Serving::start(self.quiet(command.args(["--http", "127.0.0.1:0"])))
    }

    /// Starts a gateway, which joins the cluster.
    pub(super) fn gateway(&self) -> Serving {
        let mut command = self.command("gateway");
        command.args([
            "--simple-json",
            "127.0.0.1:0",
            "--qdatastream",
            "off",
            "--websocket",
            "off",
            "--http",
            "off",
        ]);
        Serving::start(self.quiet(&mut command))
    }

    /// Sends the log of a process to standard error if a test is watched.
    fn quiet<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        match std::env::var_os("CLUSTER_LOG") {
            Some(_) => command,
            None => command.args(["--log", "off"]).stderr(Stdio::null()),
        }
    }

    /// Returns the cores that answer `faf-lobby cluster`.
    pub(super) fn cores(&self) -> Vec<CoreLine> {
        let output = self.command("cluster").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let cores = text.lines().skip(1).take_while(|line| !line.is_empty()).map(|line| {
            let mut words = line.split_whitespace();
            let mut word = || words.next().unwrap().to_owned();
            CoreLine { name: word(), role: word(), epoch: word().parse().unwrap() }
        });
        cores.collect()
    }

    /// Waits until a core leads, in a later epoch than this one; returns its line.
    pub(super) async fn leader_after(&self, epoch: u64) -> CoreLine {
        let leads = |core: &CoreLine| core.role == "leads" && core.epoch > epoch;
        soon("a core leads", async {
            loop {
                if let Some(leader) = self.cores().into_iter().find(leads) {
                    return leader;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}
