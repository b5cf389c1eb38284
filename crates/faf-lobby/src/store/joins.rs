//! Whether a player may play, and who wanted to join or host what.

use faf_lobby_core::{Ban, JoinAttempt};
use faf_protocol::{GameId, PlayerId};

use super::{Store, StoreError, accounts};

impl Store {
    /// The ban of a player that ends last, in force or not. A wish to join a game is noted; that this fails does not
    /// matter.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn find_ban(
        &self,
        player: PlayerId,
        joining: Option<JoinAttempt>,
    ) -> Result<Option<Ban>, StoreError> {
        if let Some(JoinAttempt { game, address }) = joining {
            let noted = self.write(move |t| {
                let mut insert = t.prepare_cached(
                    "INSERT INTO game_join_log (player_id, game_id, ip) VALUES (?1, ?2, ?3)",
                )?;
                insert.execute((player.0, game.0, address.map(|address| address.to_string())))
            });
            if let Err(error) = noted.await {
                tracing::warn!(%error, player = player.0, "a wish to join a game is not noted");
            }
        }
        self.read(move |t| accounts::newest_ban(t, player.0, "")).await
    }

    /// Notes that a player hosts a game, as the first who comes into it. From then on its number
    /// counts as given out, whether the game is ever launched or not.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn note_host(&self, host: PlayerId, game: GameId) -> Result<(), StoreError> {
        self.write(move |t| {
            let mut insert =
                t.prepare_cached("INSERT INTO game_join_log (player_id, game_id) VALUES (?1, ?2)")?;
            insert.execute((host.0, game.0)).map(|_| ())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{new_store_for_games, rows};
    use super::*;

    #[tokio::test]
    async fn who_wants_to_join_is_noted_or_not_and_told_of_the_ban() {
        let (store, _folder) = new_store_for_games().await;
        store.ban("Bob", "rude".to_owned(), None).await.unwrap();
        let joining = |address: Option<&str>| {
            Some(JoinAttempt { game: GameId(9), address: address.map(|text| text.parse().unwrap()) })
        };
        let (ada, bob, stranger) = (PlayerId(1), PlayerId(2), PlayerId(99));
        assert_eq!(store.find_ban(ada, None).await.unwrap(), None);
        assert_eq!(store.find_ban(ada, joining(Some("2001:db8::1"))).await.unwrap(), None);
        assert_eq!(store.find_ban(bob, joining(None)).await.unwrap().unwrap().reason, "rude");
        // There is no such account, which the note would need.
        assert_eq!(store.find_ban(stranger, joining(None)).await.unwrap(), None);
        let log = "SELECT player_id, game_id, ip FROM game_join_log";
        assert_eq!(rows(&store, log).await, ["1 9 2001:db8::1", "2 9 -"]);
    }
}
