//! Live games as a database keeps them: the game itself, as JSON, until it is over.

use faf_lobby_core::Game;
use faf_protocol::GameId;

/// Reads the saved state of the live game with this number, from a row of this table.
///
/// # Errors
/// A description of the problem, and what an operator can do about the row, which is kept.
pub fn read_live_game(id: GameId, state: &str, table: &str) -> Result<Game, String> {
    let problem = match serde_json::from_str::<Game>(state) {
        Ok(game) if game.id() == id => return Ok(game),
        Ok(game) => format!("the row holds the state of game {}", game.id()),
        Err(error) => error.to_string(),
    };
    Err(format!(
        "{problem}; its row in {table} is kept: finish the game with the version of faf-lobby that saved it, or \
         delete the row to discard its results"
    ))
}
