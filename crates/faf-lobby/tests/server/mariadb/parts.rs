//! The parts beside the server: a database with players and a map, and a broker.

use std::process::{Command, Stdio};
use std::sync::Arc;

use faf_lobby::config::{DatabaseAddress, Settings};
use faf_lobby::store::{SeedFile, Store};
use faf_protocol::Secret;
use faf_testkit::services::mariadb::{self, Database, MariaServer};
use faf_testkit::services::rabbitmq::{self, RabbitMq};
use serde_json::{Value, json};

use crate::games::MAP;
use crate::pairs::name;

/// A database, and perhaps a broker, for servers in processes of their own.
pub(super) struct Parts {
    pub(super) database: Database,
    /// Port of the database, or of a proxy for it.
    pub(super) port: u16,
    broker: Option<u16>,
    pub(super) vhost: String,
}

impl Parts {
    /// Creates a database with a ranked map and these pairs of players.
    pub(super) async fn new(maria: &Arc<MariaServer>, pairs: u32) -> Self {
        let parts =
            Self { database: maria.database(146), port: maria.port(), broker: None, vhost: String::new() };
        let users: Vec<Value> =
            (1..=2 * pairs).map(|id| json!({"id": id, "login": name(id), "password": "secret"})).collect();
        let mut seed: Value = serde_json::from_str(MAP).unwrap();
        seed["users"] = users.into();
        parts.store().seed(SeedFile::parse(&seed.to_string()).unwrap()).await.unwrap();
        parts
    }

    /// Adds a virtual host of a broker.
    pub(super) fn with_broker(self, rabbit: &RabbitMq) -> Self {
        Self { broker: Some(rabbit.port()), vhost: rabbit.vhost(), ..self }
    }

    fn address(&self) -> String {
        format!("mysql://{}@127.0.0.1:{}/{}", mariadb::USER, self.port, self.database.name)
    }

    /// Opens the database without a server.
    pub(super) fn store(&self) -> Store {
        let settings = Settings {
            database: DatabaseAddress::try_from(self.address()).unwrap(),
            database_password: Secret::new(mariadb::PASSWORD),
            ..Settings::default()
        };
        Store::open(&settings.database()).unwrap()
    }

    /// Returns the command of a server that listens for SimpleJson.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("FAF_LOBBY_")) {
            command.env_remove(variable);
        }
        command.args(["--simple-json", "127.0.0.1:0", "--qdatastream", "off", "--websocket", "off"]);
        command.args(["--wait-for-database", "60", "--database", &self.address()]);
        command.env("FAF_LOBBY_DATABASE_PASSWORD", mariadb::PASSWORD);
        if let Some(port) = self.broker {
            command.args(["--broker-host", "127.0.0.1", "--broker-port", &port.to_string()]);
            command.args(["--broker-vhost", &self.vhost, "--broker-user", rabbitmq::USER]);
            command.env("FAF_LOBBY_BROKER_PASSWORD", rabbitmq::PASSWORD);
        }
        command.stdin(Stdio::null());
        command
    }
}
