//! Pairs of players who play one game after the other, and the check of the results in the end.

mod checks;
mod players;

pub(crate) use checks::check_results;
pub(crate) use players::{Pair, Player, name, random};
