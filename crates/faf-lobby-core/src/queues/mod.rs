//! Searches: how parties enter queues and leave them, and how the queues make matches
//! (matchmaking.md sections 2 to 7).

mod info;
mod pop;
mod refresh;
mod saving;
mod searching;
mod vetoes;

pub(crate) use info::{all, reply, report};
pub(crate) use pop::{in_round, matches_now, play_recorded, pop_is_due};
pub(crate) use refresh::receive;
pub(crate) use saving::{
    expect_back, keep_parties, keep_party_of, keep_searches, renewal_is_due, returned, save, save_is_due,
    schedule_save, stop_returning,
};
pub(crate) use searching::{cancel, cancel_everywhere, cancel_searches_of, check_may_search, start};
pub(crate) use vetoes::vetoes_info;
