//! Players who play one game after the other, over servers that are killed.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use faf_protocol::{GameId, Message, WireFormat};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::support::{Client, soon};

const QUESTION: &str = r#"{"command":"ask_session","user_agent":"downlords-faf-client"}"#;

/// The connection has ended, because the server was killed.
#[derive(Debug)]
pub(crate) struct Cut;

/// A number below a limit.
pub(crate) fn random(limit: u64) -> u64 {
    RandomState::new().build_hasher().finish() % limit
}

/// A player who is logged in.
pub(crate) struct Player(Client);

impl Player {
    pub(crate) async fn log_in(address: &str, name: &str) -> Result<Self, Cut> {
        let stream = TcpStream::connect(address).await.map_err(|_| Cut)?;
        let client = Client::over(stream, WireFormat::SimpleJson, "/", &[]).await.map_err(|_| Cut)?;
        let mut player = Self(client);
        player.settle().await?;
        let password = faf_lobby::passwords::digest("secret");
        let hello = json!({"command": "hello", "login": name, "password": password, "unique_id": "machine"});
        player.send(&hello.to_string()).await?;
        player.receive("game_info").await?;
        Ok(player)
    }

    pub(crate) async fn send(&mut self, message: &str) -> Result<(), Cut> {
        let message: Message = message.parse().unwrap();
        soon(message.as_str(), self.0.writer.send(&message)).await.map_err(|_| Cut)
    }

    pub(crate) async fn play(&mut self, (command, args): (&str, &str)) -> Result<(), Cut> {
        self.send(&format!(r#"{{"command":"{command}","target":"game","args":[{args}]}}"#)).await
    }

    /// Returns the next message with this command.
    pub(crate) async fn receive(&mut self, command: &str) -> Result<Value, Cut> {
        soon(command, async {
            loop {
                let message = self.0.reader.read().await.map_err(|_| Cut)?;
                if message.command().as_deref() == Some(command) {
                    return Ok(serde_json::from_str(message.as_str()).unwrap());
                }
            }
        })
        .await
    }

    pub(crate) async fn settle(&mut self) -> Result<(), Cut> {
        self.send(QUESTION).await?;
        self.receive("session").await.map(drop)
    }
}

/// Two players, who play one game after the other; the first is the host.
pub(crate) struct Pair {
    pub(crate) ids: [u32; 2],
    pub(crate) game: Option<Playing>,
    /// Games that were played to their end.
    pub(crate) played: Vec<GameId>,
    /// Number of acknowledged messages of all pairs.
    acknowledged: Arc<watch::Sender<u64>>,
}

/// A game of a pair.
pub(crate) struct Playing {
    pub(crate) id: GameId,
    pub(crate) is_launched: bool,
    /// Messages after the launch that each player has not sent, or that are not acknowledged.
    pub(crate) left: [VecDeque<(&'static str, &'static str)>; 2],
}

impl Playing {
    fn new(id: GameId) -> Self {
        const BOTH: [(&str, &str); 2] = [("GameEnded", ""), ("GameState", r#""Ended""#)];
        // Each player reports another army, so that no report can be missing.
        let reports = match host_wins(id) {
            true => [r#"1,"victory 10""#, r#"2,"defeat -10""#],
            false => [r#"1,"defeat -10""#, r#"2,"victory 10""#],
        };
        let [of_host, of_guest] = reports.map(|report| ("GameResult", report));
        let left = [
            [("EnforceRating", ""), of_host].into_iter().chain(BOTH).collect(),
            [of_guest].into_iter().chain(BOTH).collect(),
        ];
        Self { id, is_launched: false, left }
    }
}

pub(super) fn host_wins(game: GameId) -> bool {
    game.0.is_multiple_of(2)
}

impl Pair {
    pub(crate) fn new(number: u32, acknowledged: Arc<watch::Sender<u64>>) -> Self {
        Self { ids: [2 * number + 1, 2 * number + 2], game: None, played: Vec::new(), acknowledged }
    }

    fn count(&self) {
        self.acknowledged.send_modify(|count| *count += 1);
    }

    /// Plays until the server is killed, or only the game that has begun.
    pub(crate) async fn play(&mut self, address: &str, only_this_game: bool) -> Result<(), Cut> {
        let [mut host, mut guest] = [
            Player::log_in(address, &name(self.ids[0])).await?,
            Player::log_in(address, &name(self.ids[1])).await?,
        ];
        self.count();
        if let Some(game) = &self.game {
            for player in [&mut host, &mut guest] {
                let GameId(id) = game.id;
                player.send(&format!(r#"{{"command":"restore_game_session","game_id":{id}}}"#)).await?;
                player.settle().await?;
            }
        }
        loop {
            if self.game.is_none() {
                if only_this_game {
                    return Ok(());
                }
                self.begin(&mut host, &mut guest).await?;
            }
            self.finish([&mut host, &mut guest]).await?;
        }
    }

    /// Launches a game.
    pub(crate) async fn begin(&mut self, host: &mut Player, guest: &mut Player) -> Result<(), Cut> {
        let id = self.open_lobby(host, guest).await?;
        let game = self.game.insert(Playing::new(id));
        host.play(("GameState", r#""Launching""#)).await?;
        host.settle().await?;
        game.is_launched = true;
        self.count();
        Ok(())
    }

    async fn open_lobby(&self, host: &mut Player, guest: &mut Player) -> Result<GameId, Cut> {
        let game =
            r#"{"command":"game_host","title":"Game","mod":"faf","mapname":"testmap","visibility":"public"}"#;
        host.send(game).await?;
        let id = host.receive("game_launch").await?["uid"].as_u64().unwrap();
        let is_ready = [("GameState", r#""Idle""#), ("GameState", r#""Lobby""#)];
        for message in is_ready {
            host.play(message).await?;
        }
        host.receive("HostGame").await?;
        guest.send(&format!(r#"{{"command":"game_join","uid":{id}}}"#)).await?;
        guest.receive("game_launch").await?;
        for message in is_ready {
            guest.play(message).await?;
        }
        guest.receive("JoinGame").await?;
        host.receive("ConnectToPeer").await?;
        for (army, player) in (1..).zip(self.ids) {
            let team = army + 1;
            for (key, value) in
                [("Team", team), ("Army", army), ("StartSpot", army), ("Faction", 2), ("Color", army)]
            {
                host.play(("PlayerOption", &format!(r#"{player},"{key}",{value}"#))).await?;
            }
        }
        host.settle().await?;
        self.count();
        Ok(GameId(u32::try_from(id).unwrap()))
    }

    /// Sends the messages that are left, all at once or one after the other.
    pub(crate) async fn finish(&mut self, mut players: [&mut Player; 2]) -> Result<(), Cut> {
        let is_hasty = random(2) == 0;
        let game = self.game.as_mut().unwrap();
        if is_hasty {
            for (player, left) in players.iter_mut().zip(&game.left) {
                for message in left {
                    player.play(*message).await?;
                    player.send(QUESTION).await?;
                }
            }
        }
        while game.left.iter().any(|left| !left.is_empty()) {
            for (player, left) in players.iter_mut().zip(&mut game.left) {
                let Some(message) = left.front() else { continue };
                if !is_hasty {
                    player.play(*message).await?;
                    player.send(QUESTION).await?;
                }
                player.receive("session").await?;
                left.pop_front();
                self.acknowledged.send_modify(|count| *count += 1);
            }
        }
        self.played.extend(self.game.take().map(|game| game.id));
        Ok(())
    }
}

pub(crate) fn name(player: u32) -> String {
    format!("Player{player}")
}
