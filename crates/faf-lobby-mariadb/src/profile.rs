//! Profiles of players, which are read at login.

use faf_lobby_core::{Ban, Profile, Relation};
use faf_lobby_store::{Profiles, StoreError, relation_of_status};
use faf_protocol::PlayerId;
use faf_protocol::server_message::{Avatar, LeaderboardRating};

use crate::MariaDb;
use crate::avatars::is_selected;
use crate::bans::{BAN_END, ban_at};
use crate::error::Result;
use crate::session::Session;
use crate::timings::Family;

impl Profiles for MariaDb {
    async fn profile(&self, player: PlayerId) -> Result<Profile, StoreError> {
        self.read(Family::Profiles, move |s| {
            let (avatar, clan, ban) = single_values(s, player)?;
            let (friends, foes) = friends_and_foes(s, player)?;
            Ok(Profile {
                avatar,
                clan,
                ratings: ratings(s, player)?,
                groups: groups(s, player)?,
                friends,
                foes,
                ban,
            })
        })
        .await
    }
}

/// Reads the selected avatar, the tag of the clan, and the ban that ends last: with one statement,
/// because every login waits for it.
fn single_values(s: &mut Session, player: PlayerId) -> Result<(Option<Avatar>, Option<String>, Option<Ban>)> {
    let query = format!(
        "SELECT l.url, COALESCE(l.tooltip, ''), c.tag, b.reason, {BAN_END}
         FROM login u
         LEFT JOIN avatars a ON a.idUser = u.id AND {} LEFT JOIN avatars_list l ON l.id = a.idAvatar
         LEFT JOIN clan_membership m ON m.player_id = u.id LEFT JOIN clan c ON c.id = m.clan_id
         LEFT JOIN ban b ON b.player_id = u.id AND b.level = 'GLOBAL'
         WHERE u.id = ? ORDER BY 5 DESC, a.id LIMIT 1",
        is_selected(s)
    );
    let values = s.first(&query, (player.0,), |row| {
        let (url, tooltip): (Option<String>, String) = (row.get(0)?, row.get(1)?);
        let reason: Option<String> = row.get(3)?;
        let ban = reason.is_some().then(|| ban_at(row, 3)).transpose()?;
        Ok((url.map(|url| Avatar { url, tooltip }), row.get(2)?, ban))
    });
    Ok(values?.unwrap_or_default())
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

/// Reads the friends of a player, and the foes.
pub(crate) fn friends_and_foes<C: Default + Extend<PlayerId>>(
    s: &mut Session,
    player: PlayerId,
) -> Result<(C, C)> {
    let query = "SELECT subject_id, status FROM friends_and_foes WHERE user_id = ? ORDER BY subject_id";
    let rows =
        s.select_valid(query, (player.0,), |row| Ok((PlayerId(row.get(0)?), row.get::<Option<String>>(1)?)))?;
    let (mut friends, mut foes) = (C::default(), C::default());
    for (subject, status) in rows {
        match relation_of_status(status.as_deref()) {
            Relation::Friend => friends.extend([subject]),
            Relation::Foe => foes.extend([subject]),
        }
    }
    Ok((friends, foes))
}
