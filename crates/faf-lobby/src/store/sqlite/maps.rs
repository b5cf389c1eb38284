//! Maps in the vault, and co-op missions.

use faf_lobby_core::MapVersion;
use faf_lobby_store::{Maps, StoreError, campaign};
use faf_protocol::server_message::CoopMission;
use rusqlite::OptionalExtension;

use super::{Sqlite, skip_invalid};

impl Maps for Sqlite {
    async fn find_map(&self, folder: String) -> Result<Option<MapVersion>, StoreError> {
        self.read(move |t| {
            let mut select =
                t.prepare_cached("SELECT id, ranked <> 0 FROM map_version WHERE folder_name = ?1")?;
            select
                .query_row([folder], |row| Ok(MapVersion { id: row.get(0)?, is_ranked: row.get(1)? }))
                .optional()
        })
        .await
    }
    async fn coop_missions(&self) -> Result<Vec<CoopMission>, StoreError> {
        let missions = self.read(|t| {
            let mut select =
                t.prepare_cached("SELECT id, type, name, description, filename FROM coop_map ORDER BY id")?;
            let rows = select.query_map((), |row| {
                let (uid, number): (u32, i64) = (row.get(0)?, row.get(1)?);
                let Some(campaign) = campaign(number) else {
                    tracing::warn!(mission = uid, "skipping a co-op mission of an unknown campaign");
                    return Ok(None);
                };
                Ok(Some(CoopMission {
                    uid,
                    campaign: campaign.to_owned(),
                    name: row.get(2)?,
                    description: row.get(3)?,
                    filename: row.get(4)?,
                    featured_mod: "coop".to_owned(),
                }))
            })?;
            skip_invalid(rows)
        });
        Ok(missions.await?.into_iter().flatten().collect())
    }
}
