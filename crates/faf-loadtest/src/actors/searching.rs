//! Players who search in queues, half of them in parties of two, and play the matches.

use faf_bots::{Behaviour, Rng, Shared, View, Wish};
use faf_protocol::client_message::InviteToParty;
use faf_protocol::{ClientMessage, PlayerId};

use super::evening::{Evening, Player, Tempo};

/// Queues for players who are alone, and for parties of two: those of FAF.
const QUEUES: [&str; 2] = ["ladder1v1", "tmm2v2"];

/// Tempo of players who only search, in scenarios without games.
const TEMPO: Tempo = Tempo { guests: 0, chatter: 2.0, lobby: 30.0, game: 60.0, visit: 30.0 };

/// Creates the searching players of a scenario without an evening.
pub(crate) fn searchers_only() -> Evening {
    Evening::new(TEMPO)
}

impl Evening {
    /// Returns the player with this account who is in this place of `all` that search, whose
    /// accounts follow each other. The first half of them form parties of two.
    pub(crate) fn searcher(&self, me: u32, place: u32, all: u32) -> Player {
        let part = match place {
            _ if place >= all / 4 * 2 => Searcher::Alone,
            _ if place.is_multiple_of(2) => Searcher::Owner { guest: PlayerId(me + 1) },
            _ => Searcher::Guest,
        };
        self.searching_player(me, Box::new(part))
    }
}

/// The part of a player.
#[derive(Debug)]
enum Searcher {
    Alone,
    /// Owns a party, and searches when the guest is in it.
    Owner {
        guest: PlayerId,
    },
    /// Accepts every invitation.
    Guest,
}

impl Behaviour for Searcher {
    fn next_wish(&mut self, _rng: &mut Rng, view: &View, _shared: &Shared) -> Wish {
        if !view.searches().is_empty() {
            return Wish::Wait;
        }
        match self {
            Self::Alone => Wish::Search(vec![QUEUES[0].to_owned()]),
            Self::Owner { guest } if view.companions().is_empty() => {
                Wish::Send(ClientMessage::InviteToParty(InviteToParty { recipient_id: *guest }))
            }
            Self::Owner { .. } => Wish::Search(vec![QUEUES[1].to_owned()]),
            Self::Guest => view.invitation().map_or(Wish::Wait, Wish::Accept),
        }
    }
}
