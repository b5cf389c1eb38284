//! A server that is killed again and again, at random moments, while games end, with MariaDB and
//! RabbitMQ: no result is lost, no game is rated twice, and every message for other services comes
//! at least once, in order for each game.
//!
//! Players repeat only messages that were not acknowledged, so a report that the server has
//! acknowledged and lost is missing in the end. A message is acknowledged when the reply to a
//! question that was sent after it arrives.

mod checks;
mod players;

use std::collections::VecDeque;
use std::process::{Command, Stdio};
use std::sync::Arc;

use faf_lobby::config::{DatabaseAddress, Settings};
use faf_lobby::store::{SeedFile, Store};
use faf_protocol::Secret;
use faf_testkit::services::mariadb::{self, Database, MariaServer};
use faf_testkit::services::rabbitmq::{self, RabbitMq};
use faf_testkit::serving::Serving;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::games::MAP;
use crate::support::soon;
use checks::{check_messages, check_results};
use players::{Pair, name, random};

/// Environment variable with the number of times that the server is killed.
const KILLS: &str = "LOBBY_KILLS";

/// Number of pairs of players who play at the same time.
const PAIRS: u32 = 4;

/// Number of acknowledged messages after which the server is killed at the latest: those of some
/// games of each pair, in addition to the logins.
const MESSAGES: u64 = 120;

/// Exchange of the server.
const EXCHANGE: &str = "faf-lobby";

/// The parts that stay when the server is killed.
struct Services {
    database: Database,
    rabbit: &'static RabbitMq,
    vhost: String,
}

impl Services {
    /// Starts a database with players and a map, and a broker with a queue of another service.
    async fn start() -> Self {
        let database = MariaServer::shared().database(146);
        let rabbit = RabbitMq::shared();
        let services = Self { database, rabbit, vhost: rabbit.vhost() };
        let store = services.store();
        let users = (1..=2 * PAIRS).map(|id| json!({"id": id, "login": name(id), "password": "secret"}));
        let users: Vec<Value> = users.collect();
        let mut seed: Value = serde_json::from_str(MAP).unwrap();
        seed["users"] = users.into();
        store.seed(SeedFile::parse(&seed.to_string()).unwrap()).await.unwrap();
        let client = rabbitmq::Client::connect(rabbit, &services.vhost).await;
        client.declare_exchange(EXCHANGE).await;
        client.declare_queue("theirs", EXCHANGE, &["success.#"]).await;
        services
    }

    fn address(&self) -> String {
        let Database { server, name } = &self.database;
        format!("mysql://{}@127.0.0.1:{}/{name}", mariadb::USER, server.port())
    }

    fn store(&self) -> Store {
        let settings = Settings {
            database: DatabaseAddress::try_from(self.address()).unwrap(),
            database_password: Secret::new(mariadb::PASSWORD),
            ..Settings::default()
        };
        Store::open(&settings.database()).unwrap()
    }

    /// Starts a server in a process of its own.
    fn serve(&self) -> Serving {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("FAF_LOBBY_")) {
            command.env_remove(variable);
        }
        command.args(["--simple-json", "127.0.0.1:0", "--qdatastream", "off", "--websocket", "off"]);
        command.args(["--http", "off", "--log", "off", "--wait-for-database", "60"]);
        command.args(["--database", &self.address(), "--broker-host", "127.0.0.1"]);
        command.args(["--broker-port", &self.rabbit.port().to_string(), "--broker-vhost", &self.vhost]);
        command.args(["--broker-user", rabbitmq::USER]);
        command.env("FAF_LOBBY_BROKER_PASSWORD", rabbitmq::PASSWORD);
        command.env("FAF_LOBBY_DATABASE_PASSWORD", mariadb::PASSWORD);
        Serving::start(command.stdin(Stdio::null()).stderr(Stdio::null()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mariadbd and rabbitmq-server; .ci/run runs it"]
async fn results_and_messages_for_the_broker_survive_kills_at_random_moments() {
    let kills: u32 = std::env::var(KILLS).map_or(25, |text| text.parse().unwrap());
    let services = Services::start().await;
    let acknowledged = Arc::new(watch::Sender::new(0));
    let mut pairs: Vec<Pair> =
        (0..PAIRS).map(|number| Pair::new(number, Arc::clone(&acknowledged))).collect();
    let (mut live, mut unacknowledged) = (0, 0);
    for kill in 0..=kills {
        let is_last = kill == kills;
        acknowledged.send_replace(0);
        let server = services.serve();
        let mut playing = JoinSet::new();
        for mut pair in pairs.drain(..) {
            let address = server.address("tcp://");
            playing.spawn(async move {
                let played = pair.play(&address, is_last).await;
                (pair, played.is_ok())
            });
        }
        if is_last {
            pairs = playing
                .join_all()
                .await
                .into_iter()
                .map(|(pair, has_played)| {
                    assert!(has_played, "nobody has killed the server");
                    pair
                })
                .collect();
            server.signal("-TERM");
            server.signal("-TERM");
            assert_eq!(server.wait().1, Some(0));
            break;
        }
        let moment = random(MESSAGES);
        let reached = async { acknowledged.subscribe().wait_for(|count| *count >= moment).await.map(drop) };
        soon("the messages before a kill", reached).await.unwrap();
        // Between two messages, too.
        for _ in 0..random(50) {
            tokio::task::yield_now().await;
        }
        drop(server);
        pairs = playing.join_all().await.into_iter().map(|(pair, _)| pair).collect();
        for pair in &mut pairs {
            pair.look(&services.database);
            if let Some(game) = &pair.game {
                live += 1;
                unacknowledged += game.left.iter().map(VecDeque::len).sum::<usize>();
            }
        }
    }
    let facts = services.store().facts().await.unwrap();
    check_results(&facts, &pairs);
    assert_eq!(facts.outbox, []);
    let repeated = check_messages(&services, &facts).await;
    println!(
        "{kills} kills, {} games; {live} were live at a kill, with {unacknowledged} messages to come; {repeated} \
         messages came to the broker more than once",
        facts.games.len(),
    );
    assert!(live > kills / 2, "the games did not end while the server was killed");
}
