//! Profiles of players, which are read at login.

use faf_lobby_core::{Profile, Relation};
use faf_lobby_store::{Profiles, StoreError, relation_of_status};
use faf_protocol::PlayerId;
use faf_protocol::server_message::LeaderboardRating;
use rusqlite::{OptionalExtension, Transaction};

use super::ratings::rating_at;
use super::{Sqlite, accounts, avatars, skip_invalid};

impl Profiles for Sqlite {
    async fn profile(&self, player: PlayerId) -> Result<Profile, StoreError> {
        self.read(move |t| {
            let (friends, foes) = friends_and_foes(t, player)?;
            Ok(Profile {
                avatar: avatars::selected(t, player)?,
                clan: clan(t, player)?,
                ratings: ratings(t, player)?,
                groups: groups(t, player)?,
                friends,
                foes,
                ban: accounts::newest_ban(t, player.0, "")?,
            })
        })
        .await
    }
}

fn clan(t: &Transaction<'_>, player: PlayerId) -> rusqlite::Result<Option<String>> {
    let mut select = t.prepare_cached(
        "SELECT tag FROM clan_membership m JOIN clan c ON c.id = m.clan_id WHERE player_id = ?1",
    )?;
    select.query_row([player.0], |row| row.get(0)).optional()
}

fn ratings(t: &Transaction<'_>, player: PlayerId) -> rusqlite::Result<Vec<(String, LeaderboardRating)>> {
    let mut select = t.prepare_cached(
        "SELECT technical_name, mean, deviation, total_games
         FROM leaderboard_rating r JOIN leaderboard l ON l.id = r.leaderboard_id
         WHERE login_id = ?1 ORDER BY l.id",
    )?;
    let rows = select.query_map([player.0], |row| {
        Ok((row.get(0)?, LeaderboardRating { rating: rating_at(row, 1)?, number_of_games: row.get(3)? }))
    })?;
    skip_invalid(rows)
}

fn groups(t: &Transaction<'_>, player: PlayerId) -> rusqlite::Result<Vec<String>> {
    let mut select = t.prepare_cached(
        "SELECT technical_name FROM user_group_assignment a JOIN user_group g ON g.id = a.group_id
         WHERE user_id = ?1",
    )?;
    select.query_map([player.0], |row| row.get(0))?.collect()
}

/// Reads the friends of a player, and the foes.
pub(super) fn friends_and_foes<C: Default + Extend<PlayerId>>(
    t: &Transaction<'_>,
    player: PlayerId,
) -> rusqlite::Result<(C, C)> {
    let mut select =
        t.prepare_cached("SELECT subject_id, status FROM friends_and_foes WHERE user_id = ?1")?;
    let rows = select.query_map([player.0], |row| Ok((PlayerId(row.get(0)?), row.get(1)?)))?;
    let (mut friends, mut foes) = (C::default(), C::default());
    for row in rows {
        let (subject, status): (PlayerId, Option<String>) = row?;
        match relation_of_status(status.as_deref()) {
            Relation::Friend => friends.extend([subject]),
            Relation::Foe => foes.extend([subject]),
        }
    }
    Ok((friends, foes))
}
