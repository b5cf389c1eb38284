//! Another program that uses the same database file. Tests and the load generator need one: it
//! locks the database, and it stores what no operation of the lobby would.

use std::path::Path;

use faf_lobby_store::StoreError;
use faf_lobby_store::facts::{Facts, GameFact, JournalFact, PlayerFact};
use faf_protocol::PlayerId;
use rusqlite::{Connection, OpenFlags};

use super::live_game::json;
use super::open::{FLAGS, connect};
use super::worker::store_error;

/// A connection of another program to a database file. The connection, and with it a lock, ends
/// when this is dropped.
#[derive(Debug)]
pub struct OtherProgram(Connection);

impl OtherProgram {
    /// Connects to an existing database.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = connect(path, FLAGS & !OpenFlags::SQLITE_OPEN_CREATE);
        connection.map(Self).map_err(|error| store_error(&error))
    }

    /// Locks the database: until this connection ends, others can read, and cannot write.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if another write does not end within a few seconds.
    pub fn lock(&self) -> Result<(), StoreError> {
        self.execute("BEGIN EXCLUSIVE")
    }

    /// Makes the database refuse to delete messages for other services, so that they stay in the
    /// outbox although a server delivers them; or ends that.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    pub fn keep_messages(&self, keep: bool) -> Result<(), StoreError> {
        self.execute(match keep {
            true => "CREATE TRIGGER kept BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'kept'); END",
            false => "DROP TRIGGER kept",
        })
    }

    /// Marks the database as one of a later version of the server.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    pub fn make_newer(&self) -> Result<(), StoreError> {
        self.execute("PRAGMA user_version = 1000")
    }

    /// Gives an account a name, valid or not.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    pub fn rename_account(&self, id: PlayerId, login: &str) -> Result<(), StoreError> {
        let renamed = self.0.execute("UPDATE login SET login = ?2 WHERE id = ?1", (id.0, login));
        renamed.map(drop).map_err(|error| store_error(&error))
    }

    /// Stores games that no lobby has launched, with their players, decisions and changes of
    /// ratings; other facts are ignored.
    ///
    /// # Errors
    /// [`StoreError`] if the facts contradict the stored data, or the database cannot be written.
    pub fn add_games(&self, facts: &Facts) -> Result<(), StoreError> {
        let added = facts.games.iter().try_for_each(|game| self.add_game(game));
        let added = added.and_then(|()| facts.players.iter().try_for_each(|player| self.add_player(player)));
        let added = added.and_then(|()| facts.journal.iter().try_for_each(|change| self.add_change(change)));
        added.map_err(|error| store_error(&error))
    }

    /// Returns the first damage in the database: of a table, of an index, or a reference to a
    /// missing row.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    pub fn damage(&self) -> Result<Option<String>, StoreError> {
        let found = || {
            let found: String = self.0.query_row("PRAGMA integrity_check(1)", (), |row| row.get(0))?;
            if found != "ok" {
                return Ok(Some(found));
            }
            let dangles = self.0.prepare("PRAGMA foreign_key_check")?.exists(())?;
            Ok(dangles.then(|| "a row refers to a missing one".to_owned()))
        };
        found().map_err(|error| store_error(&error))
    }

    fn execute(&self, statement: &str) -> Result<(), StoreError> {
        self.0.execute_batch(statement).map_err(|error| store_error(&error))
    }

    fn add_game(&self, game: &GameFact) -> rusqlite::Result<()> {
        self.0.execute(
            "INSERT INTO game_stats (id, startTime, endTime, gameType, gameMod, host, mapId, gameName, validity)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (
                game.id.0,
                game.launched_at,
                game.ended_at,
                &game.victory,
                game.featured_mod,
                game.host.0,
                game.map_version,
                &game.title,
                game.validity,
            ),
        )?;
        if let Some(decisions) = &game.decisions {
            let insert = "INSERT INTO game_explanation (game_id, decisions) VALUES (?1, ?2)";
            self.0.execute(insert, (game.id.0, json(decisions)?))?;
        }
        Ok(())
    }

    fn add_player(&self, player: &PlayerFact) -> rusqlite::Result<()> {
        let insert = "INSERT INTO game_player_stats
               (gameId, playerId, faction, color, team, place, mean, deviation, score, result)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let PlayerFact { faction, color, team, place, before, score, result, .. } = player;
        let (game, id) = (player.game_id.0, player.player_id.0);
        let values = (game, id, faction, color, team, place, before.mean, before.deviation, score, result);
        self.0.execute(insert, values).map(drop)
    }

    fn add_change(&self, change: &JournalFact) -> rusqlite::Result<()> {
        let JournalFact { game_id, player_id, leaderboard, before, after } = change;
        let insert = "INSERT INTO leaderboard_rating_journal
               (game_player_stats_id, leaderboard_id, rating_mean_before, rating_deviation_before,
                rating_mean_after, rating_deviation_after)
             VALUES ((SELECT id FROM game_player_stats WHERE gameId = ?1 AND playerId = ?2),
                     (SELECT id FROM leaderboard WHERE technical_name = ?3), ?4, ?5, ?6, ?7)";
        let (before, after) = ((before.mean, before.deviation), (after.mean, after.deviation));
        let values = (game_id.0, player_id.0, leaderboard, before.0, before.1, after.0, after.1);
        self.0.execute(insert, values).map(drop)
    }
}
