//! Games that are being played: every write about one of them is a single transaction here, and
//! they are carried out in the order in which they were queued.

use std::sync::Arc;

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{GamePublications, GameWrite};
use faf_lobby_store::{Games, StoreError};
use faf_protocol::GameId;

use crate::error::Result;
use crate::session::Session;
use crate::timings::Family;
use crate::{MariaDb, game_end, launch, live_game, notes, outbox};

impl Games for MariaDb {
    fn store_game(
        &self,
        game: GameId,
        write: GameWrite,
        publications: GamePublications,
    ) -> impl Future<Output = Result<Vec<RatingChange>, StoreError>> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        let stored = self.write_in_order(Family::Games, move |s| {
            if let Some(lock) = shared.owner.get() {
                lock.confirm(s)?;
            }
            s.command("SAVEPOINT game")?;
            match store(s, game, &write, &publications) {
                // Nothing of the write is kept, but the transaction itself does not fail: the
                // caller receives the reason.
                Err(error) if error.is_contradiction() => {
                    s.command("ROLLBACK TO game")?;
                    s.messages.clear();
                    Ok(Err(error.into_store()))
                }
                other => other.map(Ok),
            }
        });
        async move { stored.await? }
    }
}

fn store(
    s: &mut Session,
    game: GameId,
    write: &GameWrite,
    publications: &GamePublications,
) -> Result<Vec<RatingChange>> {
    let changes = match write {
        GameWrite::Launch(launched) => launch::launch(s, game, launched).map(|()| Vec::new()),
        GameWrite::Save(saved) => live_game::save(s, game, saved).map(|()| Vec::new()),
        GameWrite::Note(note) => notes::add(s, game, note).map(|()| Vec::new()),
        GameWrite::End(end) => game_end::end(s, game, end),
        GameWrite::Publish => Ok(Vec::new()),
    }?;
    outbox::put_numbered(s, game, publications)?;
    Ok(changes)
}
