//! Log of attempts to join or host games.

use faf_lobby_core::JoinAttempt;
use faf_lobby_store::{Joins, StoreError};
use faf_protocol::{GameId, PlayerId};

use crate::MariaDb;
use crate::error::{Error, Result};
use crate::timings::Family;

impl Joins for MariaDb {
    async fn record_join(&self, player: PlayerId, attempt: JoinAttempt) -> Result<(), StoreError> {
        let JoinAttempt { game, address } = attempt;
        self.record(player, game, address.map(|address| address.to_string())).await
    }

    async fn record_host(&self, host: PlayerId, game: GameId) -> Result<(), StoreError> {
        self.record(host, game, None).await
    }
}

impl MariaDb {
    async fn record(&self, player: PlayerId, game: GameId, ip: Option<String>) -> Result<(), StoreError> {
        self.statement(Family::Joins, move |s| {
            let schema = s.schema();
            if schema.has_join_log {
                return match schema.has_join_address {
                    true => s.execute(
                        "INSERT INTO game_join_log (player_id, game_id, ip) VALUES (?, ?, ?)",
                        (player.0, game.0, &ip),
                    ),
                    false => s.execute(
                        "INSERT INTO game_join_log (player_id, game_id) VALUES (?, ?)",
                        (player.0, game.0),
                    ),
                }
                .map(drop);
            }
            if !schema.has_own_tables() {
                return Ok(());
            }
            let insert =
                "INSERT INTO faf_lobby_join (player_id, game_id, ip) SELECT id, ?, ? FROM login WHERE id = ?";
            match s.execute(insert, (game.0, &ip, player.0))? {
                0 => Err(Error::Refused(format!("there is no player {player}"))),
                _ => Ok(()),
            }
        })
        .await
    }
}
