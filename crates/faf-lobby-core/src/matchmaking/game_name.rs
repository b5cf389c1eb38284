//! The name of a match's game (matchmaking.md section 8.4).

use crate::client_text::cut;
use crate::state::TITLE_LIMIT;

/// The names of a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedPlayer<'a> {
    /// Name of the account.
    pub login: &'a str,
    /// Tag of the clan; an empty one counts as none.
    pub clan: Option<&'a str>,
}

/// Returns the name of the game of two teams, at most 128 characters. Players are in the order of
/// their searches.
#[must_use]
pub fn game_name(teams: [&[NamedPlayer<'_>]; 2]) -> String {
    let [first, second] = teams.map(team_name);
    cut(format!("{first} Vs {second}"), TITLE_LIMIT)
}

/// Returns the name of an only player. A team is named after the clan that all share, otherwise
/// after its first player.
fn team_name(team: &[NamedPlayer<'_>]) -> String {
    match team {
        [] => String::new(),
        [only] => only.login.to_owned(),
        [first, others @ ..] => {
            let shared = first.clan.filter(|clan| !clan.is_empty());
            let clan = shared.filter(|_| others.iter().all(|player| player.clan == first.clan));
            format!("Team {}", clan.unwrap_or(first.login))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn teams_are_named_after_their_player_clan_or_first_player() {
        let player = |login, clan| NamedPlayer { login, clan };
        let (ada, bob) = (player("Ada", Some("XYZ")), player("Bob", Some("XYZ")));
        let (cid, dan) = (player("Cid", None), player("Dan", Some("")));
        assert_eq!(game_name([&[ada], &[bob]]), "Ada Vs Bob");
        assert_eq!(game_name([&[ada, bob], &[cid, dan]]), "Team XYZ Vs Team Cid");
        assert_eq!(game_name([&[bob, cid], &[dan, dan]]), "Team Bob Vs Team Dan");
    }

    proptest! {
        #[test]
        fn names_are_cut_after_128_characters(
            logins in prop::collection::vec(r"\PC{0,90}", 0..7),
            clans in prop::collection::vec(any::<Option<String>>(), 7),
            first in 0_usize..7,
        ) {
            let players: Vec<_> = logins
                .iter()
                .zip(&clans)
                .map(|(login, clan)| NamedPlayer { login, clan: clan.as_deref() })
                .collect();
            let (one, other) = players.split_at(first.min(players.len()));
            let name = game_name([one, other]);
            prop_assert!(name.chars().count() <= 128);
            if let [only] = one {
                prop_assert!(name.starts_with(only.login));
            }
        }
    }
}
