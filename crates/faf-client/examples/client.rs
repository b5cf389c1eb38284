//! Logs in and prints who is online.
//!
//! ```text
//! cargo run -p faf-client --example client -- tcp://localhost:8002 NAME PASSWORD
//! ```

use std::error::Error;
use std::io::{self, Write};

use faf_client::faf_protocol::ServerMessage;
use faf_client::{Client, Credentials};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, login, password] = &arguments[..] else {
        return Err("usage: client URL NAME PASSWORD".into());
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
    let welcome = client.login(&Credentials::password(login, password)).await?;
    writeln!(out, "logged in as {}, with the id {}", welcome.login, welcome.id)?;
    loop {
        match client.read().await? {
            ServerMessage::PlayerInfo(list) => {
                for player in &list.players {
                    writeln!(out, "{} from {} is online", player.login, player.country)?;
                }
            }
            // The list of games is the last one after a login.
            ServerMessage::GameList(list) => {
                for game in &list.games {
                    writeln!(out, "{} hosts \"{}\" on {}", game.host, game.title, game.mapname)?;
                }
                break;
            }
            _ => {}
        }
    }
    client.close().await;
    Ok(())
}
