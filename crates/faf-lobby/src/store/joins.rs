//! Whether a player may play, and who wanted to join what.

use faf_lobby_core::{Ban, JoinAttempt};
use faf_protocol::PlayerId;

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
}
