//! `social_add`: makes another player a friend or a foe (session.md section 10).
//!
//! Nobody can be both, so adding one ends the other. There is no reply, and the other player is not
//! notified.

use faf_protocol::PlayerId;
use faf_protocol::client_message::SocialSubject;
use serde::{Deserialize, Serialize};

use crate::games::host_lists;
use crate::io::{ConnId, Relation, ReplyTo, SetRelation};
use crate::refusal::Refusal;
use crate::state::{CommandResult, Lobby, Progress, Resume};
use crate::texts;

/// Maximum number of friends of a player, and also of foes. Real lists have a few hundred entries.
/// The lists are sent at every login and stored with every game of the player. A longer list that
/// is already in the database is kept, but cannot grow.
const LIST_MAX: usize = 2000;

/// The player and the relation that `social_add` or `social_remove` names; kept while the database
/// stores the change.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(super) subject: PlayerId,
    pub(super) relation: Relation,
}

impl Named {
    /// Returns what a request names; the friend if it names both.
    pub(super) fn of(request: &SocialSubject) -> Option<Self> {
        let friend = request.friend.map(|subject| Self { subject, relation: Relation::Friend });
        friend.or(request.foe.map(|subject| Self { subject, relation: Relation::Foe }))
    }
}

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, request: &SocialSubject) -> CommandResult {
    let Some(named @ Named { subject, relation }) = Named::of(request) else { return Ok(Progress::Done) };
    let player = lobby.player_of(conn);
    if subject == player {
        return Err(Refusal::declined(texts::SELF_RELATION));
    }
    let list = lobby.players.get(player).map(|online| match relation {
        Relation::Friend => (&online.friends, texts::TOO_MANY_FRIENDS),
        Relation::Foe => (&online.foes, texts::TOO_MANY_FOES),
    });
    match list {
        Some((list, _)) if list.contains(&subject) => return Ok(Progress::Done),
        Some((list, text)) if list.len() >= LIST_MAX => return Err(Refusal::declined(text)),
        _ => {}
    }
    Ok(lobby.request(conn, SetRelation { player, subject, relation }, named))
}

impl Resume for SetRelation {
    type Memo = Named;

    fn resume(memo: Named, lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        let Named { subject, relation } = memo;
        reply??;
        let player = lobby.player_of(conn);
        let Some(online) = lobby.online(player) else { return Ok(Progress::Done) };
        let (now, no_longer) = match relation {
            Relation::Friend => (&mut online.friends, &mut online.foes),
            Relation::Foe => (&mut online.foes, &mut online.friends),
        };
        now.insert(subject);
        no_longer.remove(&subject);
        host_lists::host_lists_changed(lobby, player, subject);
        Ok(Progress::Done)
    }
}
