//! Co-op missions.

use faf_protocol::server_message::CoopMission;

use super::{Store, StoreError, sound};

/// Campaigns, by their number in the database.
const CAMPAIGNS: [&str; 5] = [
    "FA Campaign",
    "Aeon Vanilla Campaign",
    "Cybran Vanilla Campaign",
    "UEF Vanilla Campaign",
    "Custom Missions",
];

impl Store {
    /// All missions of known campaigns, in order of their numbers.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn coop_missions(&self) -> Result<Vec<CoopMission>, StoreError> {
        let missions = self.read(|t| {
            let mut select =
                t.prepare_cached("SELECT id, type, name, description, filename FROM coop_map ORDER BY id")?;
            let rows = select.query_map((), |row| {
                let (uid, campaign): (u32, i64) = (row.get(0)?, row.get(1)?);
                let Some(campaign) =
                    usize::try_from(campaign).ok().and_then(|campaign| CAMPAIGNS.get(campaign))
                else {
                    tracing::warn!(mission = uid, "co-op mission of an unknown campaign is left out");
                    return Ok(None);
                };
                Ok(Some(CoopMission {
                    uid,
                    campaign: (*campaign).to_owned(),
                    name: row.get(2)?,
                    description: row.get(3)?,
                    filename: row.get(4)?,
                    featured_mod: "coop".to_owned(),
                }))
            })?;
            sound(rows)
        });
        Ok(missions.await?.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::new_store;

    #[tokio::test]
    async fn missions_of_unknown_campaigns_are_left_out() {
        let (store, _folder) = new_store();
        store
            .write(|t| {
                t.execute_batch(
                    "INSERT INTO coop_map (id, type, name, description, filename)
                     VALUES (1, 4, 'One', NULL, 'f'), (2, 5, 'Two', 'd', 'g'), (3, 0, 'Three', 'd', 'h')",
                )
            })
            .await
            .unwrap();
        let missions = store.coop_missions().await.unwrap();
        let shown: Vec<_> = missions.iter().map(|mission| (mission.uid, mission.campaign.as_str())).collect();
        assert_eq!(shown, [(1, "Custom Missions"), (3, "FA Campaign")]);
    }
}
