//! Lists of games, for operators.

use faf_lobby_core::Timestamp;
use faf_lobby_core::validity::Validity;
use faf_protocol::GameId;
use rusqlite::named_params;

use super::accounts::login_key;
use super::{Store, StoreError, sound};

/// Which games are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GameFilter {
    /// Games of this account only.
    pub player: Option<String>,
    /// Games only that are over and do not count.
    pub is_unrated: bool,
    /// How many at most; the newest.
    pub limit: u32,
}

/// A game that was launched, in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedGame {
    /// Its number.
    pub id: GameId,
    /// Its title.
    pub title: String,
    /// Name of the account that has made it.
    pub host: String,
    /// Technical name of the featured mod.
    pub featured_mod: String,
    /// Folder name of the map; none for maps that are not in the vault.
    pub map: Option<String>,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// When it ended, if that is known.
    pub ended_at: Option<Timestamp>,
    /// Whether it counts; none if the number in the database has no meaning.
    pub validity: Option<Validity>,
    /// It is being played, or was when the server ended.
    pub is_live: bool,
    /// Names of its players.
    pub players: Vec<String>,
}

impl Store {
    /// The newest games that were launched, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn list_games(&self, filter: GameFilter) -> Result<Vec<ListedGame>, StoreError> {
        let key = filter.player.as_deref().map(login_key);
        self.read(move |t| {
            let mut players = t.prepare(
                "SELECT login FROM game_player_stats p JOIN login l ON l.id = playerId WHERE gameId = ?1
                 ORDER BY team, place, p.id",
            )?;
            let mut select = t.prepare(
                "SELECT g.id, gameName, h.login, f.gamemod, folder_name, startTime, endTime, validity,
                        EXISTS (SELECT 1 FROM live_game WHERE game_id = g.id) AS is_live
                 FROM game_stats g JOIN login h ON h.id = g.host JOIN game_featuredMods f ON f.id = g.gameMod
                 LEFT JOIN map_version m ON m.id = g.mapId
                 WHERE (:player IS NULL OR g.id IN (
                         SELECT gameId FROM game_player_stats p JOIN login l ON l.id = playerId
                         WHERE login_key = :player))
                   AND (NOT :unrated OR validity <> 0 AND NOT is_live)
                 ORDER BY g.id DESC LIMIT :limit",
            )?;
            let values = named_params! {
                ":player": key, ":unrated": filter.is_unrated, ":limit": filter.limit
            };
            let rows = select.query_map(values, |row| {
                let id: u32 = row.get(0)?;
                let validity: i64 = row.get(7)?;
                Ok(ListedGame {
                    id: GameId(id),
                    title: row.get(1)?,
                    host: row.get(2)?,
                    featured_mod: row.get(3)?,
                    map: row.get(4)?,
                    launched_at: Timestamp::from_seconds(row.get(5)?),
                    ended_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_seconds),
                    validity: validity.try_into().ok().and_then(Validity::from_number),
                    is_live: row.get(8)?,
                    players: players.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?,
                })
            })?;
            sound(rows)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Season, end, launch, new_store_for_games};
    use super::*;

    #[tokio::test]
    async fn games_are_listed_by_player_and_by_whether_they_count() {
        let (store, _folder) = new_store_for_games().await;
        let played = Season::new().play(1);
        store.store_game(played.id, launch(&played)).await.unwrap();
        let list = async |player: Option<&str>, is_unrated| {
            let filter = GameFilter { player: player.map(str::to_owned), is_unrated, limit: 10 };
            store.list_games(filter).await.unwrap()
        };
        assert!(list(None, false).await[0].is_live && list(None, true).await.is_empty());
        store.store_game(played.id, end(&played)).await.unwrap();
        let all = list(None, false).await;
        assert_eq!((all.len(), all[0].id, all[0].is_live), (1, played.id, false));
        let unrated = all[0].validity.is_none_or(|validity| validity.name() != "VALID");
        assert_eq!(list(None, true).await.len(), usize::from(unrated));
        assert_eq!(list(Some(&all[0].players[0].to_uppercase()), false).await, all);
        assert!(list(Some("nobody"), false).await.is_empty());
    }
}
