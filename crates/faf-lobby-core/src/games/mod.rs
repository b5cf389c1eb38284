//! The rules of games: who sees them, how players get in and out, how they are launched, end and
//! are stored.

mod data;
pub(crate) mod ending;
pub(crate) mod entry;
pub(crate) mod host_lists;
mod info;
pub(crate) mod joining;
pub(crate) mod launch;
pub(crate) mod listing;
pub(crate) mod persistence;
mod repeats;
pub(crate) mod visibility;

pub(crate) use entry::{BanCheck, Entry, check_can_play, check_idle};
pub(crate) use joining::Leaving;
