//! GPGNet: the commands of the game.
//!
//! ```text
//! game process <== binary framing ==> adapter <== lobby messages with "target":"game" ==> server
//!              (framing.rs)              {"command":"GameState","target":"game","args":["Lobby"]}
//! ```
//!
//! * [`GpgNetMessage`]: a command name with arguments, in either direction and encoding;
//! * [`ServerToGame`] and [`GameToServer`]: the commands by type;
//! * [`GpgNetServerSender`] and [`GpgNetClientSender`]: the methods of the two ends for sending;
//! * [`framing`]: the game's own binary framing.
//!
//! Nothing is lost in between: an unknown command keeps its name and arguments, and arguments after
//! those that a command needs are kept as surplus.

mod arguments;
mod command_table;
pub mod framing;
pub(crate) mod game_to_server;
mod sender;
pub(crate) mod server_to_game;

use serde::{Deserialize, Serialize};

use crate::error::FieldError;
use crate::json::{Json, JsonRef};
use crate::message::Message;

pub use arguments::{Args, ArgumentError};
pub use game_to_server::{GameCommand, GameMods, GameState, GameToServer};
pub use sender::{GpgNetClientSender, GpgNetServerSender};
pub use server_to_game::{CommandForGame, ServerToGame};

/// A command of the game with its arguments, in the form common to both directions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpgNetMessage {
    /// Name, in the game's spelling.
    pub command: String,
    /// The arguments; a missing list from a client counts as empty.
    #[serde(default)]
    pub args: Args,
}

impl GpgNetMessage {
    /// Value of `target` that marks a lobby message as one for or from the game.
    pub const TARGET: &'static str = "game";

    /// Creates a command with these arguments.
    pub fn new(command: &str, args: impl IntoIterator<Item = Json>) -> Self {
        Self { command: command.to_owned(), args: args.into_iter().collect() }
    }

    /// Reads the command from a lobby message. Its `target` is not checked.
    ///
    /// # Errors
    /// [`FieldError`] if `command` is not a string or `args` not an array.
    pub fn from_message(message: &Message) -> Result<Self, FieldError> {
        let wrong = || FieldError { field: Some("args".to_owned()), reason: "must be an array".to_owned() };
        let command = message.field("command")?;
        let args = match message.get("args") {
            Some(args) => Args::of_value(args).ok_or_else(wrong)?,
            None => Args::default(),
        };
        Ok(Self { command, args })
    }

    /// Returns the lobby message that carries this command: `command`, `args` and `target`, in
    /// this order.
    #[must_use]
    pub fn to_message(&self) -> Message {
        Message::from_value(&self.carried()).expect("a command with arguments is a JSON object")
    }

    /// Returns a value that serialises as the lobby message.
    pub(crate) fn carried(&self) -> Carried<'_> {
        Carried { command: &self.command, args: &self.args, target: Self::TARGET }
    }

    /// Returns the arguments as references.
    pub fn arguments(&self) -> impl Iterator<Item = JsonRef<'_>> + use<'_> {
        self.args.iter()
    }
}

#[derive(Serialize)]
pub(crate) struct Carried<'a> {
    command: &'a str,
    args: &'a Args,
    target: &'a str,
}

/// A typed command together with the arguments after those that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithSurplus<C> {
    /// The command.
    pub command: C,
    /// Further arguments, in order; usually none.
    pub surplus: Args,
}

impl<C> From<C> for WithSurplus<C> {
    fn from(command: C) -> Self {
        Self { command, surplus: Args::default() }
    }
}

impl<C: Into<Self>> From<WithSurplus<C>> for GpgNetMessage {
    fn from(WithSurplus { command, surplus }: WithSurplus<C>) -> Self {
        let mut message = command.into();
        message.args.append(&surplus);
        message
    }
}
