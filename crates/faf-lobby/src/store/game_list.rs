//! Lists of games, for operators.

use rusqlite::named_params;

use super::accounts::login_key;
use super::launched_game::{LaunchedGame, SELECT, read};
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
    /// The game.
    pub game: LaunchedGame,
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
            let mut select = t.prepare(&format!(
                "{SELECT}
                 WHERE (:player IS NULL OR g.id IN (
                         SELECT gameId FROM game_player_stats p JOIN login l ON l.id = playerId
                         WHERE login_key = :player))
                   AND (NOT :unrated OR validity <> 0 AND NOT is_live)
                 ORDER BY g.id DESC LIMIT :limit",
            ))?;
            let values = named_params! {
                ":player": key, ":unrated": filter.is_unrated, ":limit": filter.limit
            };
            let rows = select.query_map(values, |row| {
                let game = read(row)?;
                let players = players.query_map([game.id.0], |row| row.get(0))?.collect::<Result<_, _>>()?;
                Ok(ListedGame { game, players })
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
        assert!(list(None, false).await[0].game.is_live && list(None, true).await.is_empty());
        store.store_game(played.id, end(&played)).await.unwrap();
        let all = list(None, false).await;
        assert_eq!((all.len(), all[0].game.id, all[0].game.is_live), (1, played.id, false));
        let unrated = all[0].game.validity.is_none_or(|validity| validity.name() != "VALID");
        assert_eq!(list(None, true).await.len(), usize::from(unrated));
        assert_eq!(list(Some(&all[0].players[0].to_uppercase()), false).await, all);
        assert!(list(Some("nobody"), false).await.is_empty());
    }
}
