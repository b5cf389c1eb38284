//! Maps in the vault, and co-op missions.

use faf_lobby_core::MapVersion;
use faf_lobby_store::{Maps, StoreError, campaign};
use faf_protocol::server_message::CoopMission;

use crate::MariaDb;
use crate::error::Result;
use crate::timings::Family;

impl Maps for MariaDb {
    async fn find_map(&self, folder: String) -> Result<Option<MapVersion>, StoreError> {
        self.read(Family::Maps, move |s| {
            // Both have an index, and a collation that ignores case.
            let (condition, name) = match s.schema().has_folder_name {
                true => ("folder_name = ?", folder.clone()),
                false => ("filename = ?", format!("maps/{folder}.zip")),
            };
            let query = format!("SELECT id, ranked <> 0 FROM map_version WHERE {condition}");
            s.first(&query, (name,), |row| Ok(MapVersion { id: row.get(0)?, is_ranked: row.get(1)? }))
        })
        .await
    }

    async fn coop_missions(&self) -> Result<Vec<CoopMission>, StoreError> {
        let missions = self.read(Family::Maps, |s| {
            let query = "SELECT id, type, name, description, filename FROM coop_map ORDER BY id";
            s.select_valid(query, (), |row| {
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
            })
        });
        Ok(missions.await?.into_iter().flatten().collect())
    }
}
