//! Profiles of players, which are read at login.

use faf_lobby_core::Profile;
use faf_lobby_store::{Profiles, StoreError};
use faf_protocol::PlayerId;
use faf_protocol::server_message::LeaderboardRating;

use crate::error::Result;
use crate::session::Session;
use crate::timings::Family;
use crate::{MariaDb, avatars, bans};

impl Profiles for MariaDb {
    async fn profile(&self, player: PlayerId) -> Result<Profile, StoreError> {
        self.read(Family::Profiles, move |s| {
            let (friends, foes) = friends_and_foes(s, player)?;
            Ok(Profile {
                avatar: avatars::selected(s, player)?,
                clan: clan(s, player)?,
                ratings: ratings(s, player)?,
                groups: groups(s, player)?,
                friends,
                foes,
                ban: bans::newest_ban(s, player.0)?,
            })
        })
        .await
    }
}

fn clan(s: &mut Session, player: PlayerId) -> Result<Option<String>> {
    let query = "SELECT tag FROM clan_membership m JOIN clan c ON c.id = m.clan_id WHERE player_id = ?";
    s.first(query, (player.0,), |row| row.get(0))
}

fn ratings(s: &mut Session, player: PlayerId) -> Result<Vec<(String, LeaderboardRating)>> {
    let query = "SELECT technical_name, CAST(mean AS CHAR), CAST(deviation AS CHAR), total_games
                 FROM leaderboard_rating r JOIN leaderboard l ON l.id = r.leaderboard_id
                 WHERE login_id = ? ORDER BY l.id";
    s.select_valid(query, (player.0,), |row| {
        Ok((row.get(0)?, LeaderboardRating { rating: row.rating(1)?, number_of_games: row.get(3)? }))
    })
}

fn groups(s: &mut Session, player: PlayerId) -> Result<Vec<String>> {
    let query = "SELECT technical_name FROM user_group_assignment a JOIN user_group g ON g.id = a.group_id
                 WHERE user_id = ? ORDER BY a.id";
    s.select_valid(query, (player.0,), |row| row.get(0))
}

/// Reads the friends of a player, and the foes. Any stored status other than friend counts as foe.
pub(crate) fn friends_and_foes<C: Default + Extend<PlayerId>>(
    s: &mut Session,
    player: PlayerId,
) -> Result<(C, C)> {
    let query = "SELECT subject_id, status FROM friends_and_foes WHERE user_id = ? ORDER BY subject_id";
    let rows =
        s.select_valid(query, (player.0,), |row| Ok((PlayerId(row.get(0)?), row.get::<Option<String>>(1)?)))?;
    let (mut friends, mut foes) = (C::default(), C::default());
    for (subject, status) in rows {
        let list = if status.as_deref() == Some("FRIEND") { &mut friends } else { &mut foes };
        list.extend([subject]);
    }
    Ok((friends, foes))
}
