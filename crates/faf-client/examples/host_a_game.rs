//! Logs in, hosts a game, acts as its game process until the lobby is open, and closes it.
//!
//! ```text
//! cargo run -p faf-client --example host_a_game -- tcp://localhost:8002 NAME PASSWORD
//! ```

use std::error::Error;
use std::io::{self, Write};

use faf_client::faf_protocol::ClientMessage;
use faf_client::faf_protocol::client_message::GameHost;
use faf_client::faf_protocol::gpgnet::{GameState, GameToServer, ServerToGame};
use faf_client::faf_protocol::server_message::{GameInfoState, ServerMessage, Visibility};
use faf_client::{Client, Credentials};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, login, password] = &arguments[..] else {
        return Err("usage: host_a_game URL NAME PASSWORD".into());
    };
    run(url, login, password, &mut io::stdout()).await
}

/// Runs the example, with its output in `out`.
pub(crate) async fn run(
    url: &str,
    login: &str,
    password: &str,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let mut client = Client::connect(&url.parse()?).await?;
    let player_id = client.login(&Credentials::password(login, password)).await?.id;
    let game = GameHost {
        visibility: Visibility::Public,
        title: Some("all welcome".to_owned()),
        featured_mod: Some("faf".to_owned()),
        mapname: Some("scmp_007".to_owned()),
        password: None,
        rating_min: None,
        rating_max: None,
        enforce_rating_range: false,
    };
    client.send(&ClientMessage::GameHost(game)).await?;
    loop {
        let commands = match client.read().await? {
            // The client starts the game process, whose messages it passes on from now on.
            ServerMessage::GameLaunch(_) => {
                [GameState::Idle, GameState::Lobby].map(|state| GameToServer::GameState { state }).into()
            }
            ServerMessage::Game(command) => match ServerToGame::read(&command)?.command {
                ServerToGame::HostGame { map } => {
                    writeln!(out, "the game process hosts on {map}")?;
                    // The host takes the first seat; every player who joins gets one in the
                    // same way.
                    let seat = [("Team", 2), ("Army", 1), ("StartSpot", 1), ("Faction", 1), ("Color", 1)];
                    let option = |(key, value): (&str, i64)| (key.to_owned(), value.into());
                    let seat = seat.map(option).into_iter();
                    seat.map(|(key, value)| GameToServer::PlayerOption { player_id, key, value }).collect()
                }
                _ => Vec::new(),
            },
            ServerMessage::GameInfo(game) if game.host == login && game.state == GameInfoState::Open => {
                writeln!(out, "game {} is open: {}", game.uid, game.title)?;
                let ended = GameToServer::GameState { state: GameState::Ended };
                client.send(&ClientMessage::Game(ended.into())).await?;
                client.close().await;
                return Ok(());
            }
            ServerMessage::Notice(notice) => return Err(notice.text.unwrap_or_default().into()),
            _ => Vec::new(),
        };
        for command in commands {
            client.send(&ClientMessage::Game(command.into())).await?;
        }
    }
}
