//! Operations on the database as a whole: its key, its seed, and whether it can be written to.

use faf_lobby_store::facts::Facts;
use faf_lobby_store::seed::{Planted, SeedFile};
use faf_lobby_store::{SeedError, StoreError, Upkeep};
use rusqlite::OptionalExtension;

use super::{Sqlite, facts, seed};

impl Upkeep for Sqlite {
    async fn own_key(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|t| t.query_row("SELECT key FROM own_key", (), |row| row.get(0)).optional()).await
    }

    async fn own_key_or(&self, new: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.write(move |t| {
            t.execute("INSERT INTO own_key (id, key) VALUES (1, ?1) ON CONFLICT DO NOTHING", [new])?;
            t.query_row("SELECT key FROM own_key", (), |row| row.get(0))
        })
        .await
    }

    async fn plant(&self, file: SeedFile) -> Result<Planted, SeedError> {
        self.write(move |t| {
            let accounts: u32 = t.query_row("SELECT count(*) FROM login", (), |row| row.get(0))?;
            if accounts > 0 {
                return Ok(Err(SeedError::NotEmpty));
            }
            t.execute_batch("SAVEPOINT before_seed")?;
            match seed::plant(t, &file) {
                Ok(()) => Ok(Ok(file.planted())),
                Err(error) => t.execute_batch("ROLLBACK TO before_seed").map(|()| Err(error)),
            }
        })
        .await?
    }

    async fn beat(&self) -> Result<(), StoreError> {
        self.write(|t| t.execute("UPDATE heartbeat SET beats = beats + 1", ()).map(|_| ())).await
    }

    async fn finish_writing(&self) -> Result<(), StoreError> {
        self.run_on_writer(|_| Ok(())).await
    }

    async fn facts(&self) -> Result<Facts, StoreError> {
        self.read(facts::read).await
    }
}
