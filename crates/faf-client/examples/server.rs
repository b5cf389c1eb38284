//! A server for single players: accepts every login, and replies to pings.
//!
//! ```text
//! cargo run -p faf-client --example server
//! cargo run -p faf-client --example client -- tcp://localhost:8002 Ada secret
//! ```

use std::error::Error;
use std::sync::Arc;

use faf_client::faf_connection::{self as connection, Settings, open_tcp, tcp};
use faf_client::faf_protocol::server_message::{
    GameList, Invalid, Player, PlayerList, Rating, Ratings, Session, Welcome,
};
use faf_client::faf_protocol::{ClientMessage, PlayerId, ServerMessage, SessionNumber, WireFormat};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    serve(TcpListener::bind("127.0.0.1:8002").await?).await
}

/// Accepts clients that use SimpleJson.
pub(crate) async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    loop {
        let (stream, _) = listener.accept().await?;
        tcp::prepare(&stream)?;
        tokio::spawn(converse(stream));
    }
}

/// Serves one client until its connection ends.
async fn converse(stream: TcpStream) -> Result<(), connection::Error> {
    let (mut reader, writer) = open_tcp(stream, Settings::new(WireFormat::SimpleJson));
    loop {
        let answers = match ClientMessage::read(reader.read().await?) {
            Ok(ClientMessage::Ping) => vec![ServerMessage::Pong],
            Ok(ClientMessage::Pong) => vec![],
            Ok(ClientMessage::AskSession(_)) => {
                vec![ServerMessage::Session(Session { session: SessionNumber(1) })]
            }
            Ok(ClientMessage::Hello(hello)) => welcome(hello.login),
            _ => vec![ServerMessage::Invalid(Invalid::default())],
        };
        // The client is not read again before it has taken its replies.
        writer.send_many(&answers).await?;
    }
}

/// Returns the messages after a login: the welcome, and the lists of players and games.
fn welcome(login: String) -> Vec<ServerMessage> {
    let (id, rating) = (PlayerId(1), Rating { mean: 1500.0, deviation: 500.0 });
    let me = Arc::new(Player {
        id,
        login: login.clone(),
        avatar: None,
        country: "DE".parse().expect("DE is a country"),
        clan: None,
        state: None,
        ratings: Ratings::default(),
        global_rating: rating,
        ladder_rating: rating,
        number_of_games: 0,
    });
    let current_time = "2026-01-01T00:00:00+00:00".to_owned();
    vec![
        ServerMessage::Welcome(Welcome { me: Arc::clone(&me), current_time, id, login }),
        ServerMessage::PlayerInfo(Arc::new(PlayerList { players: vec![me] })),
        ServerMessage::GameList(Arc::new(GameList { games: vec![] })),
    ]
}
