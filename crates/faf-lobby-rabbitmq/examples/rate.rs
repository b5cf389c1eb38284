//! Measures how many messages of games a private broker confirms per second:
//! `cargo run --release -p faf-lobby-rabbitmq --example rate`. Needs rabbitmq-server.

#![allow(clippy::print_stdout, reason = "the output of a program")]

use std::collections::HashSet;
use std::time::Instant;

use faf_lobby_rabbitmq::{
    Broker, Delivery, Inbox, Incoming, Outgoing, Password, Settings, State, TimeLimits,
};
use faf_testkit::services::rabbitmq::{Client, PASSWORD, RabbitMq, USER};

/// Games, each with results, ratings, and five achievements for each player.
const GAMES: usize = 100;

/// Messages that the relay of the server reads from the database at once.
const BATCH: usize = 1000;

struct Nowhere;

impl Inbox for Nowhere {
    async fn take(&self, _: Incoming) {}
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rabbit = RabbitMq::start();
    let settings = Settings {
        host: "127.0.0.1".to_owned(),
        port: rabbit.port(),
        user: USER.to_owned(),
        password: Password::new(PASSWORD),
        vhost: rabbit.vhost(),
        exchange: "faf-lobby".to_owned(),
        host_name: "rate".to_owned(),
    };
    let client = Client::connect(&rabbit, &settings.vhost).await;
    client.declare_exchange(&settings.exchange).await;
    client.declare_queue("all", &settings.exchange, &["#"]).await;
    let broker = Broker::start(settings, TimeLimits::default(), Nowhere);
    broker.state().wait_for(State::is_connected).await?;
    let mut delivery = broker.delivery();
    for players in [2, 8, 16] {
        for is_mixed in [false, true] {
            let games: Vec<_> = (0..GAMES).map(|game| messages(game, players)).collect();
            let list = if is_mixed { mixed(&games) } else { games.concat() };
            let number = list.len();
            let begin = Instant::now();
            deliver(&mut delivery, list).await;
            let seconds = begin.elapsed().as_secs_f64();
            let order = if is_mixed { "at the same time" } else { "one after the other" };
            let rate = number as f64 / seconds;
            println!(
                "{GAMES} games of {players}, {order}: {number} messages in {seconds:.2} s, {rate:.0} per second"
            );
        }
    }
    println!("{} messages in the queue", client.waiting("all").await);
    Ok(())
}

/// Returns the messages of games that end at the same time.
fn mixed(games: &[Vec<Outgoing>]) -> Vec<Outgoing> {
    let longest = games.iter().map(Vec::len).max().unwrap_or_default();
    (0..longest).flat_map(|index| games.iter().filter_map(move |game| game.get(index).cloned())).collect()
}

/// Returns the messages of a game in their order.
fn messages(game: usize, players: usize) -> Vec<Outgoing> {
    let list: Vec<_> = (1..=players).map(|player| game * players + player).collect();
    let results =
        format!(r#"{{"game_id":{game},"rating_type":"global","teams":[{{"player_ids":{list:?}}}]}}"#);
    let mut bodies = vec![("success.gameResults.create", results)];
    bodies.extend(list.iter().map(|player| {
        let ratings = r#""new_rating_mean":1600.5,"new_rating_deviation":90.1,"old_rating_mean":1590.5"#;
        let body = format!(r#"{{"game_id":{game},"player_id":{player},"rating_type":"global",{ratings}}}"#);
        ("success.rating.update", body)
    }));
    for player in &list {
        bodies.extend((0..5).map(|achievement| {
            let update = r#""operation":"INCREMENT","steps":1"#;
            let body = format!(r#"{{"playerId":{player},"achievementId":"{achievement}",{update}}}"#);
            ("request.achievement.update", body)
        }));
    }
    let message = |(routing_key, body): (&str, String)| Outgoing {
        number: 0,
        id: String::new(),
        routing_key: routing_key.to_owned(),
        body,
        is_persistent: true,
    };
    bodies.into_iter().map(message).collect()
}

/// Delivers messages as the relay does, with new numbers.
async fn deliver(delivery: &mut Delivery, mut messages: Vec<Outgoing>) {
    for (number, message) in (1..).zip(&mut messages) {
        (message.number, message.id) = (number, format!("id-{number}"));
    }
    while !messages.is_empty() {
        let batch = messages[..messages.len().min(BATCH)].to_vec();
        match delivery.deliver(batch).await {
            Ok(confirmed) => {
                let confirmed: HashSet<_> = confirmed.into_iter().collect();
                messages.retain(|message| !confirmed.contains(&message.number));
            }
            Err(_) => delivery.changed().await,
        }
    }
}
