//! A lobby of several processes: NATS, a core and some gateways.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use faf_protocol::WireFormat;
use faf_testkit::services::nats::NatsServer;
use faf_testkit::serving::Serving;

use super::process::Process;
use super::{DATABASE, endpoints};
use crate::swarm::address::Endpoint;

/// The processes, which are killed when this is dropped.
#[derive(Debug)]
pub(super) struct Cluster {
    gateways: Vec<Serving>,
    _core: Serving,
    _nats: NatsServer,
}

impl Cluster {
    /// Starts the processes in a folder with keys and a database. Arguments such as `--name=value`
    /// are for the processes that have this setting.
    pub(super) fn start(
        program: &Path,
        folder: &Path,
        arguments: &[String],
        gateways: u16,
    ) -> anyhow::Result<Self> {
        let nats = NatsServer::start();
        let settings: Vec<(String, &str)> =
            arguments.iter().map(|argument| variable(argument)).collect::<anyhow::Result<_>>()?;
        let start = |command: &str, flags: &[&str]| {
            let mut process = Command::new(program);
            process.current_dir(folder).args([command, "--nats", &nats.url(), "--log=error"]).args(flags);
            // As variables, which are for all processes, whatever settings they have.
            Serving::start(process.envs(settings.iter().map(|(name, value)| (name, value))))
        };
        let core = start("core", &["--http=127.0.0.1:0", "--jwks=keys.json", "--database", DATABASE]);
        let listeners = [
            "--qdatastream=127.0.0.1:0",
            "--simple-json=127.0.0.1:0",
            "--websocket=127.0.0.1:0",
            "--http=off",
        ];
        let gateways = (0..gateways).map(|_| start("gateway", &listeners)).collect();
        Ok(Self { gateways, _core: core, _nats: nats })
    }

    /// Returns where the gateways listen for these wire formats.
    pub(super) fn endpoints(&self, formats: &[WireFormat]) -> anyhow::Result<Vec<Endpoint>> {
        let each = self.gateways.iter().map(|gateway| endpoints(gateway, formats));
        Ok(each.collect::<anyhow::Result<Vec<_>>>()?.concat())
    }

    /// The process of the first gateway.
    pub(super) fn first_gateway(&self) -> Process {
        Process(self.gateways[0].process())
    }
}

/// Returns an argument such as `--login-rate=10` as an environment variable.
fn variable(argument: &str) -> anyhow::Result<(String, &str)> {
    let setting = argument.strip_prefix("--").and_then(|argument| argument.split_once('='));
    let (name, value) = setting
        .with_context(|| format!("{argument} is not --name=value, as processes of a cluster need it"))?;
    Ok((format!("FAF_LOBBY_{}", name.replace('-', "_").to_uppercase()), value))
}
