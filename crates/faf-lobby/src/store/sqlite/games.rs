//! Games that are being played: every write about one of them is a single transaction here.

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{GamePublications, GameWrite};
use faf_lobby_store::{Games, StoreError};
use faf_protocol::GameId;

use super::worker::is_contradiction;
use super::{Sqlite, game_end, launch, live_game, notes, outbox};

impl Games for Sqlite {
    fn store_game(
        &self,
        game: GameId,
        write: GameWrite,
        publications: GamePublications,
    ) -> impl Future<Output = Result<Vec<RatingChange>, StoreError>> + Send + use<> {
        let stored = self.write_durably(move |t| {
            t.execute_batch("SAVEPOINT game")?;
            let stored = match &write {
                GameWrite::Launch(launched) => launch::launch(t, game, launched).map(|()| Vec::new()),
                GameWrite::Save(saved) => live_game::save(t, game, saved).map(|()| Vec::new()),
                GameWrite::Note(note) => notes::add(t, game, note).map(|()| Vec::new()),
                GameWrite::End(end) => game_end::end(t, game, end),
                GameWrite::Publish => Ok(Vec::new()),
            };
            let stored = stored.and_then(|changes| {
                outbox::put_numbered(t, game, &publications)?;
                Ok(changes)
            });
            match stored {
                // Nothing of the write is kept, but the transaction itself does not fail: the
                // caller receives the reason.
                Err(error) if is_contradiction(&error) => {
                    t.execute_batch("ROLLBACK TO game")?;
                    Ok(Err(StoreError::Contradiction(error.to_string())))
                }
                other => other.map(Ok),
            }
        });
        async move { stored.await? }
    }
}
