//! Operations on the database as a whole: its key, its seed, and whether it can be written to.

use faf_lobby_store::facts::Facts;
use faf_lobby_store::seed::{Planted, SeedFile};
use faf_lobby_store::{Reason, SeedError, StoreError, Upkeep};

use crate::error::{Error, Result};
use crate::session::Session;
use crate::timings::Family;
use crate::{MariaDb, facts, seed};

impl Upkeep for MariaDb {
    async fn own_key(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(Family::Upkeep, |s| match s.schema().has_own_tables() {
            true => key(s),
            false => Ok(None),
        })
        .await
    }

    async fn own_key_or(&self, new: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.write(Family::Upkeep, move |s| {
            if !s.schema().has_own_tables() {
                let problem =
                    "there is no table for the server's own key; grant the account CREATE on the database";
                return Err(Error::Unavailable(Reason::Other, problem.to_owned()));
            }
            // The key of another process that was faster is kept.
            s.execute(
                "INSERT INTO faf_lobby_key (id, secret) VALUES (1, ?) ON DUPLICATE KEY UPDATE id = id",
                (&new,),
            )?;
            Ok(key(s)?.unwrap_or_else(|| new.clone()))
        })
        .await
    }

    async fn plant(&self, file: SeedFile) -> Result<Planted, SeedError> {
        self.write_in_order(Family::Upkeep, move |s| {
            let accounts: u32 = s.one("SELECT COUNT(*) FROM login", (), |row| row.get(0))?;
            if accounts > 0 {
                return Ok(Err(SeedError::NotEmpty));
            }
            s.command("SAVEPOINT seed")?;
            match seed::plant(s, &file)? {
                Ok(()) => Ok(Ok(file.planted())),
                Err(error) => s.command("ROLLBACK TO seed").map(|()| Err(error)),
            }
        })
        .await?
    }

    async fn beat(&self) -> Result<(), StoreError> {
        self.statement(Family::Upkeep, |s| {
            let beat = match s.schema().has_own_tables() {
                true => {
                    "INSERT INTO faf_lobby_heartbeat (id, beats) VALUES (1, 1) ON DUPLICATE KEY UPDATE beats = beats + 1"
                }
                // No account has this number, but a database that cannot be written to refuses it.
                false => "UPDATE login SET last_login = last_login WHERE id = 0",
            };
            s.execute(beat, ()).map(drop)
        })
        .await
    }

    async fn finish_writing(&self) -> Result<(), StoreError> {
        self.shared.finish_writing().await;
        Ok(())
    }

    async fn facts(&self) -> Result<Facts, StoreError> {
        self.snapshot(Family::Upkeep, facts::read).await
    }
}

fn key(s: &mut Session) -> Result<Option<Vec<u8>>> {
    s.first("SELECT secret FROM faf_lobby_key WHERE id = 1", (), |row| row.get(0))
}
