//! From a match to its game (matchmaking.md section 8).

use crate::io::request::{OpenMatch, ReplyTo};
use crate::state::{Lobby, ResumeLobby};

impl ResumeLobby for OpenMatch {
    type Memo = ();

    fn resume((): (), _lobby: &mut Lobby, _reply: ReplyTo<Self>) {}
}
