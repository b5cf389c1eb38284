//! Log of attempts to join or host games.

use faf_lobby_core::JoinAttempt;
use faf_lobby_store::{Joins, StoreError};
use faf_protocol::{GameId, PlayerId};

use super::Sqlite;

impl Joins for Sqlite {
    async fn record_join(&self, player: PlayerId, attempt: JoinAttempt) -> Result<(), StoreError> {
        let JoinAttempt { game, address } = attempt;
        self.record(player, game, address.map(|address| address.to_string())).await
    }

    async fn record_host(&self, host: PlayerId, game: GameId) -> Result<(), StoreError> {
        self.record(host, game, None).await
    }
}

impl Sqlite {
    async fn record(&self, player: PlayerId, game: GameId, ip: Option<String>) -> Result<(), StoreError> {
        self.write(move |t| {
            let insert = "INSERT INTO game_join_log (player_id, game_id, ip) VALUES (?1, ?2, ?3)";
            t.prepare_cached(insert)?.execute((player.0, game.0, ip)).map(|_| ())
        })
        .await
    }
}
