//! Games for database tests, played in a simulated lobby.

use faf_lobby_core::{ConnId, Game, GameEnd, GameLaunched, GameWrite, Settings};
use faf_protocol::GameId;

use crate::lobby::SimulatedLobby;
use crate::store::FakeStore;

/// All data that the lobby stores about one game.
#[derive(Debug, Clone)]
pub struct Played {
    /// Number of the game.
    pub id: GameId,
    /// The game at its launch.
    pub launched: GameLaunched,
    /// The game as last saved.
    pub saved: Game,
    /// The end of the game, with its results.
    pub end: GameEnd,
}

impl Played {
    /// Returns the write of the launch.
    #[must_use]
    pub fn launch(&self) -> GameWrite {
        GameWrite::Launch(Box::new(self.launched.clone()))
    }

    /// Returns the write of the last save.
    #[must_use]
    pub fn save(&self) -> GameWrite {
        GameWrite::Save(Box::new(self.saved.clone()))
    }

    /// Returns the write of the end.
    #[must_use]
    pub fn end(&self) -> GameWrite {
        GameWrite::End(Box::new(self.end.clone()))
    }
}

/// Plays games of Ada and Bob, who are players 1 and 2, one after the other.
#[derive(Debug)]
pub struct Season {
    lobby: SimulatedLobby,
    ada: ConnId,
    bob: ConnId,
}

impl Default for Season {
    fn default() -> Self {
        let mut lobby = SimulatedLobby::new(Settings::default(), FakeStore::with_accounts(["Ada", "Bob"]));
        let (ada, bob) = (lobby.log_in("Ada"), lobby.log_in("Bob"));
        Self { lobby, ada, bob }
    }
}

impl Season {
    /// Plays a rated game on the map `scmp_007` that one of the armies 1 (Ada's) and 2
    /// (Bob's) wins.
    ///
    /// # Panics
    /// If the lobby does not react as expected.
    pub fn play(&mut self, winner: i64) -> Played {
        let (ada, bob) = (self.ada, self.bob);
        self.lobby.send(ada, r#"{"command":"game_host","title":"Ada's game","visibility":"public"}"#);
        let id = self.lobby.world.games().last().expect("it was hosted").id();
        let mut game = |conn, command: &str, args: &str| {
            self.lobby.send(conn, &format!(r#"{{"command":"{command}","target":"game","args":[{args}]}}"#));
        };
        game(ada, "GameState", r#""Idle""#);
        game(ada, "GameState", r#""Lobby""#);
        game(ada, "GameMods", r#""uids","one-a ONE-B two unknown""#);
        self.lobby.send(bob, &format!(r#"{{"command":"game_join","uid":{id}}}"#));
        let mut game = |conn, command: &str, args: &str| {
            self.lobby.send(conn, &format!(r#"{{"command":"{command}","target":"game","args":[{args}]}}"#));
        };
        game(bob, "GameState", r#""Idle""#);
        game(bob, "GameState", r#""Lobby""#);
        for player in [1, 2] {
            let team = player + 1;
            for (key, value) in
                [("Team", team), ("Army", player), ("StartSpot", player), ("Faction", 3), ("Color", player)]
            {
                game(ada, "PlayerOption", &format!(r#"{player},"{key}",{value}"#));
            }
        }
        // Active mods at the launch would make the game unrated.
        game(ada, "GameMods", r#""activated",0"#);
        game(ada, "GameState", r#""Launching""#);
        game(ada, "EnforceRating", "");
        for reporter in [ada, bob] {
            let loser = 3 - winner;
            game(reporter, "GameResult", &format!(r#"{winner},"victory 10""#));
            game(reporter, "GameResult", &format!(r#"{loser},"defeat -10""#));
        }
        game(ada, "GameEnded", "");
        let saved = self.lobby.store.games[&id].saved.clone().expect("it is live");
        for (conn, command, args) in
            [(bob, "GameEnded", ""), (ada, "GameState", r#""Ended""#), (bob, "GameState", r#""Ended""#)]
        {
            self.lobby.send(conn, &format!(r#"{{"command":"{command}","target":"game","args":[{args}]}}"#));
        }
        let stored = self.lobby.store.games[&id].clone();
        let mut launched = stored.launched;
        launched.mods = ["one-a", "ONE-B", "two", "unknown"].map(str::to_owned).into();
        Played { id, launched, saved, end: stored.end.expect("it has ended") }
    }
}
