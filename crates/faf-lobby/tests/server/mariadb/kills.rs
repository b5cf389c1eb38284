//! A server that is killed again and again, at random moments, while games end, with MariaDB and
//! RabbitMQ: no result is lost, no game is rated twice, and every message for other services comes
//! at least once, in order for each game.
//!
//! Players repeat only messages that were not acknowledged, so a report that the server has
//! acknowledged and lost is missing in the end. A message is acknowledged when the reply to a
//! question that was sent after it arrives.

use std::collections::{BTreeMap, VecDeque};
use std::process::Stdio;
use std::sync::Arc;

use faf_lobby::store::facts::Facts;
use faf_testkit::services::mariadb::{Database, MariaServer};
use faf_testkit::services::rabbitmq::{self, RabbitMq};
use faf_testkit::serving::Serving;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::parts::Parts;
use crate::pairs::{Pair, check_results, random};
use crate::support::soon;

/// Environment variable with the number of times that the server is killed.
const KILLS: &str = "LOBBY_KILLS";

/// Number of pairs of players who play at the same time.
const PAIRS: u32 = 4;

/// Number of acknowledged messages after which the server is killed at the latest: those of some
/// games of each pair, in addition to the logins.
const MESSAGES: u64 = 120;

/// Exchange of the server.
const EXCHANGE: &str = "faf-lobby";

/// Queue of another service.
const QUEUE: &str = "theirs";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mariadbd and rabbitmq-server; .ci/run runs it"]
async fn results_and_messages_for_the_broker_survive_kills_at_random_moments() {
    let kills: u32 = std::env::var(KILLS).map_or(25, |text| text.parse().unwrap());
    let rabbit = RabbitMq::shared();
    let parts = Parts::new(&MariaServer::shared(), PAIRS).await.with_broker(rabbit);
    let client = rabbitmq::Client::connect(rabbit, &parts.vhost).await;
    client.declare_exchange(EXCHANGE).await;
    client.declare_queue(QUEUE, EXCHANGE, &["success.#"]).await;
    drop(client);
    let acknowledged = Arc::new(watch::Sender::new(0));
    let mut pairs: Vec<Pair> =
        (0..PAIRS).map(|number| Pair::new(number, Arc::clone(&acknowledged))).collect();
    let (mut live, mut unacknowledged) = (0, 0);
    for kill in 0..=kills {
        let is_last = kill == kills;
        acknowledged.send_replace(0);
        let mut command = parts.command();
        let server = Serving::start(command.args(["--http", "off", "--log", "off"]).stderr(Stdio::null()));
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
            // A server that has no broker yet would leave its messages to the next one.
            let store = parts.store();
            let delivered = async { while !store.facts().await.unwrap().outbox.is_empty() {} };
            soon("the messages are delivered", delivered).await;
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
            look(pair, &parts.database);
            if let Some(game) = &pair.game {
                live += 1;
                unacknowledged += game.left.iter().map(VecDeque::len).sum::<usize>();
            }
        }
    }
    let facts = parts.store().facts().await.unwrap();
    check_results(&facts, &pairs);
    let repeated = check_messages(rabbit, &parts.vhost, &facts).await;
    println!(
        "{kills} kills, {} games; {live} were live at a kill, with {unacknowledged} messages to come; {repeated} \
         messages came to the broker more than once",
        facts.games.len(),
    );
    assert!(live > kills / 2, "the games did not end while the server was killed");
}

/// Learns from the database what has become of the game when the server was killed.
fn look(pair: &mut Pair, database: &Database) {
    let Some(game) = &mut pair.game else { return };
    let row =
        database.rows(&format!("SELECT host, endTime IS NOT NULL FROM game_stats WHERE id = {}", game.id));
    // The next server gives the id of a game that was not launched to another one.
    let row = row.first().and_then(|row| row.strip_prefix(&format!("{} ", pair.ids[0])));
    assert!(row.is_some() || !game.is_launched, "the launch of game {} was acknowledged", game.id);
    match row {
        None => pair.game = None,
        Some("0") => game.is_launched = true,
        Some(_) => pair.played.extend(pair.game.take().map(|game| game.id)),
    }
}

/// Checks the messages of the queue, and returns the number of those that came before.
async fn check_messages(rabbit: &RabbitMq, vhost: &str, facts: &Facts) -> usize {
    let client = rabbitmq::Client::connect(rabbit, vhost).await;
    let count = client.waiting(QUEUE).await;
    let mut messages = client.consume(QUEUE, true).await;
    let mut by_game: BTreeMap<u64, Vec<Option<u64>>> = BTreeMap::new();
    let mut by_player: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut repeated = 0;
    for _ in 0..count {
        let body: Value = serde_json::from_str(&messages.next().await.body).unwrap();
        let (game, player) = (body["game_id"].as_u64().unwrap(), body["player_id"].as_u64());
        let of_game = by_game.entry(game).or_default();
        if of_game.contains(&player) {
            repeated += 1;
            continue;
        }
        of_game.push(player);
        by_player.entry(player.unwrap_or_default()).or_default().push(game);
    }
    assert_eq!(by_game.len(), facts.games.len());
    for game in &facts.games {
        // The results, and both ratings.
        let host = u64::from(game.host.0);
        assert_eq!(by_game[&u64::from(game.id.0)], [None, Some(host), Some(host + 1)], "game {}", game.id);
    }
    for (player, games) in by_player.iter().filter(|(player, _)| **player > 0) {
        assert!(games.is_sorted(), "player {player}: {games:?}");
    }
    repeated
}
