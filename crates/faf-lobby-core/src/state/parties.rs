//! [`Parties`]: the groups in which players search for a match (parties.md section 1).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faf_protocol::{Factions, PlayerId};
use serde::{Deserialize, Serialize};

/// Time for which an invitation is valid.
const INVITATION_VALID: Duration = Duration::from_secs(24 * 60 * 60);

/// Maximum number of valid invitations to a party; the oldest gives way to another one. A party of
/// the largest size has fifteen guests, and the others have long forgotten theirs.
const INVITATIONS_MAX: usize = 100;

/// Maximum number of members of a party: no game has more slots.
pub(crate) const PARTY_MEMBERS_MAX: usize = 16;

/// All parties. A player without one is alone, and has the default factions.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Parties {
    /// The parties by their owners.
    parties: BTreeMap<PlayerId, Party>,
    /// The owner of the party of each member, for all members who are not owners.
    guests: BTreeMap<PlayerId, PlayerId>,
    /// Owners of the parties with unreported changes.
    changed: BTreeSet<PlayerId>,
    /// Whether a party has changed since `take_unsaved`.
    is_unsaved: bool,
}

/// A party.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Party {
    /// In the order of joining, the owner first.
    pub(crate) members: Vec<Member>,
    /// The times of the newest invitation of each player.
    invitations: BTreeMap<PlayerId, Duration>,
}

/// A member of a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) player: PlayerId,
    /// The factions among which a match draws one; never none.
    pub(crate) factions: Factions,
}

impl Member {
    fn new(player: PlayerId) -> Self {
        Self { player, factions: Factions::default() }
    }
}

impl Party {
    /// Returns the members in the order of joining, the owner first.
    pub(crate) fn players(&self) -> impl Iterator<Item = PlayerId> {
        self.members.iter().map(|member| member.player)
    }
}

impl Parties {
    /// Returns the owner of the player's party; `None` if the player has none.
    pub(crate) fn owner_of(&self, player: PlayerId) -> Option<PlayerId> {
        let own = || self.parties.contains_key(&player).then_some(player);
        self.guests.get(&player).copied().or_else(own)
    }

    /// Returns the factions of a player.
    pub(crate) fn factions_of(&self, player: PlayerId) -> Factions {
        let party = self.owner_of(player).and_then(|owner| self.get(owner));
        let member = party.and_then(|party| party.members.iter().find(|member| member.player == player));
        member.map_or_else(Factions::default, |member| member.factions)
    }

    pub(crate) fn get(&self, owner: PlayerId) -> Option<&Party> {
        self.parties.get(&owner)
    }

    /// Creates the party of a player who is in none. Nobody is told.
    pub(crate) fn create(&mut self, owner: PlayerId) {
        self.own(owner);
    }

    /// Returns the party of an owner, which is created if the player has none. The player must not
    /// be a member of another one.
    fn own(&mut self, owner: PlayerId) -> &mut Party {
        let alone = || Party { members: vec![Member::new(owner)], ..Party::default() };
        self.parties.entry(owner).or_insert_with(alone)
    }

    /// Invites a player to a party, or renews the invitation.
    pub(crate) fn invite(&mut self, owner: PlayerId, recipient: PlayerId, now: Duration) {
        let invitations = &mut self.own(owner).invitations;
        invitations.insert(recipient, now);
        if invitations.len() > INVITATIONS_MAX {
            let oldest = invitations.iter().min_by_key(|(player, time)| (**time, **player));
            if let Some(oldest) = oldest.map(|(player, _)| *player) {
                invitations.remove(&oldest);
            }
        }
    }

    /// Returns whether a player has a valid invitation to the party of an owner.
    pub(crate) fn is_invited(&self, owner: PlayerId, recipient: PlayerId, now: Duration) -> bool {
        let invited_at = self.get(owner).and_then(|party| party.invitations.get(&recipient));
        invited_at.is_some_and(|time| now < *time + INVITATION_VALID)
    }

    /// Uses up the invitation of a player, who becomes the last member of the party. The player
    /// must be in no other party.
    pub(crate) fn join(&mut self, owner: PlayerId, member: Member) {
        let party = self.own(owner);
        party.invitations.remove(&member.player);
        party.members.push(member);
        self.guests.insert(member.player, owner);
        self.changed.insert(owner);
        self.is_unsaved = true;
    }

    /// Removes a member who is not the owner, and returns the member.
    pub(crate) fn remove(&mut self, guest: PlayerId) -> Option<Member> {
        let owner = self.guests.remove(&guest)?;
        let party = self.parties.get_mut(&owner)?;
        party.invitations.remove(&guest);
        let place = party.members.iter().position(|member| member.player == guest)?;
        self.changed.insert(owner);
        self.is_unsaved = true;
        Some(party.members.remove(place))
    }

    /// Removes the party of an owner, and returns it.
    pub(crate) fn disband(&mut self, owner: PlayerId) -> Option<Party> {
        let party = self.parties.remove(&owner)?;
        self.changed.remove(&owner);
        self.is_unsaved = true;
        for player in party.players() {
            self.guests.remove(&player);
        }
        Some(party)
    }

    /// Sets the factions of a player. If `is_reported`, the members are sent the change.
    pub(crate) fn set_factions(&mut self, player: PlayerId, factions: Factions, is_reported: bool) {
        let owner = self.owner_of(player).unwrap_or(player);
        let member = self.own(owner).members.iter_mut().find(|member| member.player == player);
        if let Some(member) = member {
            member.factions = factions;
            self.is_unsaved = true;
        }
        if is_reported {
            self.changed.insert(owner);
        }
    }

    /// Returns the members of each party with more than one, the owner first.
    pub(crate) fn shared(&self) -> impl Iterator<Item = Vec<Member>> {
        let shared = self.parties.values().filter(|party| party.members.len() > 1);
        shared.map(|party| party.members.clone())
    }

    /// Returns whether a player is in no party with others.
    pub(crate) fn is_alone(&self, player: PlayerId) -> bool {
        let party = self.owner_of(player).and_then(|owner| self.get(owner));
        party.is_none_or(|party| party.members.len() == 1)
    }

    /// Restores a party, whose members must be alone. The first becomes the owner. Factions that
    /// members have chosen since count.
    pub(crate) fn restore(&mut self, members: Vec<Member>) {
        let Some(owner) = members.first().map(|member| member.player) else { return };
        for mut member in members {
            let chosen = self.get(member.player).and_then(|own| own.members.first());
            member.factions = chosen.map_or(member.factions, |own| own.factions);
            if member.player == owner {
                self.own(owner).members = vec![member];
            } else {
                self.disband(member.player);
                self.join(owner, member);
            }
        }
    }

    /// Returns whether there was a change since the last call.
    pub(crate) fn take_unsaved(&mut self) -> bool {
        std::mem::take(&mut self.is_unsaved)
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes the owners of the parties that have changed since the last call.
    pub(crate) fn take_changes(&mut self) -> BTreeSet<PlayerId> {
        std::mem::take(&mut self.changed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ADA: PlayerId = PlayerId(1);
    const BOB: PlayerId = PlayerId(2);

    #[test]
    fn an_invitation_is_valid_for_a_day_and_used_once() {
        let mut parties = Parties::default();
        let day = Duration::from_secs(86_400);
        parties.invite(ADA, BOB, Duration::ZERO);
        assert!(parties.is_invited(ADA, BOB, day - Duration::from_millis(1)));
        assert!(!parties.is_invited(ADA, BOB, day));
        parties.join(ADA, Member::new(BOB));
        assert!(!parties.is_invited(ADA, BOB, Duration::ZERO));
    }

    #[test]
    fn the_oldest_of_too_many_invitations_gives_way() {
        let mut parties = Parties::default();
        for number in 0..10_000 {
            parties.invite(ADA, PlayerId(10 + number), Duration::from_secs(number.into()));
        }
        let invited =
            (0..10_000).filter(|number| parties.is_invited(ADA, PlayerId(10 + number), Duration::ZERO));
        assert_eq!(invited.collect::<Vec<_>>(), (9_900..10_000).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn everybody_is_in_one_party(steps in proptest::collection::vec((0..4u8, 1..6u32, 1..6u32), 0..60)) {
            let mut parties = Parties::default();
            for (action, one, other) in steps {
                let (one, other) = (PlayerId(one), PlayerId(other));
                match action {
                    0 if one != other && parties.owner_of(other).is_none()
                        && parties.owner_of(one).is_none_or(|owner| owner == one) =>
                    {
                        parties.join(one, Member::new(other));
                    }
                    1 => { parties.remove(one); }
                    2 => { parties.disband(one); }
                    _ => parties.set_factions(one, Factions::default(), true),
                }
                let mut seen = BTreeSet::new();
                for (owner, party) in &parties.parties {
                    prop_assert_eq!(party.members[0].player, *owner);
                    for player in party.players() {
                        prop_assert!(seen.insert(player), "{} is in two parties", player);
                        prop_assert_eq!(parties.owner_of(player), Some(*owner));
                    }
                }
                prop_assert!(parties.guests.keys().all(|guest| seen.contains(guest)));
            }
        }
    }
}
