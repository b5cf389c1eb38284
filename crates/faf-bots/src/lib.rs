//! Players for a lobby as pure state machines: they log in, look around, host, join, take seats,
//! play and report results; or form parties, search in queues, and play the matches.
//!
//! ```text
//!   ServerMessage --handle-----------> +-----+ --poll_action--> Send(ClientMessage), LogOut, Drop
//!   the clock     --handle_timeout---> | Bot |
//!   the socket    --connected--------> |     | --next_deadline-> when to call handle_timeout
//!                   disconnected-----> +-----+
//!                                        |  asks its Behaviour for the next Wish
//!                                        v
//!                          Shared: Settings, Content, logins of bots, Battles
//! ```
//!
//! A bot has no socket, clock, thread or random source of its own: time and the generator are
//! arguments, so the same inputs lead to the same messages. It knows the lobby only from the
//! server's messages, as any client does. Only the [`Battle`](battle::Battle) and the
//! [`Introductions`] of a match reach other bots directly: they stand for the data that real game
//! processes exchange peer to peer.
//!
//! | user | bots over | [`Behaviour`] |
//! | --- | --- | --- |
//! | `faf-demo` | sockets in all wire formats | [`Sociable`] |
//! | `faf-loadtest bots` | sockets to any server | [`Sociable`] |
//! | simulation in `faf-testkit` | simulated time | [`Sociable`], with faulty messages |
//! | evening of `faf-loadtest` | thousands of sockets | for hosts, guests and visitors |
//!
//! The generator is xoshiro256++ of the `rand` crate, whose numbers for a seed are documented to
//! stay the same in later releases; those of `fastrand` have changed in a minor one.

pub mod battle;
mod behaviour;
mod bot;
mod chance;
#[cfg(test)]
mod fixture;
mod hosting;
mod incidents;
mod logins;
mod matches;
mod process;
mod settings;
#[cfg(feature = "sockets")]
mod sockets;
mod tally;
mod view;

use battle::Battles;

pub use behaviour::{
    Behaviour, Content, GAME_PASSWORD, GameKind, GamePlan, Map, Mission, Sociable, Wish, public_game,
};
pub use bot::{Action, Bot};
pub use logins::Logins;
pub use matches::{Introductions, MatchFault};
pub use settings::Settings;
#[cfg(feature = "sockets")]
pub use sockets::Connections;
pub use tally::{Course, Tally};
pub use view::View;

/// The random generator of bots.
pub type Rng = rand::rngs::Xoshiro256PlusPlus;

/// Everything that the bots of a lobby share.
#[derive(Debug, Default)]
pub struct Shared {
    /// Speed and reliability.
    pub settings: Settings,
    /// Maps, missions and mods.
    pub content: Content,
    /// Logins of all bots; without it, every player is one. Bots know the passwords of each other's
    /// games, and wait longer for people.
    pub logins: Option<Logins>,
    /// Battles in their games.
    pub battles: Battles,
    /// Places of the players in matches that are being set up.
    pub introductions: Introductions,
}

impl Shared {
    /// Returns whether the player with this login is a bot.
    fn is_bot(&self, login: &str) -> bool {
        self.logins.as_ref().is_none_or(|logins| logins.contains(login))
    }

    /// Learns the login of a bot.
    fn add_bot(&self, login: &str) {
        if let Some(logins) = &self.logins {
            logins.add(login);
        }
    }
}
