//! What the lobby begins with: what there is to play, and the games that were live.

use std::collections::{BTreeMap, BTreeSet};

use faf_lobby_core::ratings::{Leaderboard, Leaderboards};
use faf_lobby_core::{Game, GameData, InitialState};
use faf_protocol::GameId;
use rusqlite::Transaction;

use super::{Store, StoreError, sound};

impl Store {
    /// What the database says about games in general.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn game_data(&self) -> Result<GameData, StoreError> {
        self.read(game_data).await
    }

    /// What a lobby begins with. A saved game that cannot be read is left out, and stays in the database.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn beginning(&self) -> Result<InitialState, StoreError> {
        self.read(|t| {
            // Games that were launched, and those that were only hosted or joined. Clients read ids
            // as 32-bit integers; a larger one was not given by a lobby.
            let last = "SELECT coalesce(max(id), 0) FROM
                (SELECT id FROM game_stats UNION ALL SELECT game_id FROM game_join_log)
                WHERE id BETWEEN 0 AND 2147483647";
            let last_game = t.query_row(last, (), |row| row.get(0).map(GameId))?;
            Ok(InitialState { last_game, data: game_data(t)?, games: live_games(t)? })
        })
        .await
    }

    /// The names of mods, of those that are in the vault, by their uids as they are spelled here.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used.
    pub async fn mod_names(&self, uids: Vec<String>) -> Result<BTreeMap<String, String>, StoreError> {
        self.read(move |t| {
            let mut select = t.prepare_cached("SELECT name FROM table_mod WHERE uid = ?1")?;
            let mut names = BTreeMap::new();
            for uid in uids {
                let name = sound(select.query_map([&uid], |row| row.get(0))?)?.pop();
                names.extend(name.map(|name: String| (uid, name)));
            }
            Ok(names)
        })
        .await
    }
}

fn game_data(t: &Transaction<'_>) -> rusqlite::Result<GameData> {
    let mut select = t.prepare_cached("SELECT gamemod, id FROM game_featuredMods ORDER BY id")?;
    let featured_mods =
        select.query_map((), |row| Ok((row.get::<_, String>(0)?.to_lowercase(), row.get(1)?)))?;
    let featured_mods = sound(featured_mods)?.into_iter().collect();
    let mut select = t.prepare_cached("SELECT uid FROM table_mod WHERE ranked = 1")?;
    let ranked_mods: BTreeSet<String> =
        select.query_map((), |row| Ok(row.get::<_, String>(0)?.to_lowercase()))?.collect::<Result<_, _>>()?;
    Ok(GameData { featured_mods, ranked_mods, leaderboards: leaderboards(t)? })
}

pub(super) fn leaderboards(t: &Transaction<'_>) -> rusqlite::Result<Leaderboards> {
    let mut select =
        t.prepare_cached("SELECT id, technical_name, initializer_id FROM leaderboard ORDER BY id")?;
    let rows = select.query_map((), |row| {
        Ok(Leaderboard { id: row.get(0)?, name: row.get(1)?, initializer: row.get(2)? })
    })?;
    Ok(sound(rows)?.into())
}

fn live_games(t: &Transaction<'_>) -> rusqlite::Result<Vec<Game>> {
    let mut select = t.prepare("SELECT game_id, state FROM live_game ORDER BY game_id")?;
    let rows = select.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(u32, String)> = sound(rows)?;
    Ok(rows.into_iter().filter_map(|(id, state)| read_live(id, &state)).collect())
}

fn read_live(id: u32, state: &str) -> Option<Game> {
    let problem = match serde_json::from_str::<Game>(state) {
        Ok(game) if game.id() == GameId(id) => return Some(game),
        Ok(game) => format!("it says that it is game {}", game.id()),
        Err(error) => error.to_string(),
    };
    tracing::error!(
        game = id,
        problem,
        "a live game that was saved cannot be read and is not waited for; its row in live_game is kept: the version of \
         faf-lobby that saved it can finish it, or delete the row to forget its results"
    );
    None
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Season, change, launch, new_store_for_games, rows, stored};
    use super::*;

    #[tokio::test]
    async fn what_there_is_to_play() {
        let (store, _folder) = new_store_for_games().await;
        change(
            &store,
            "INSERT INTO game_featuredMods (id, gamemod, name) VALUES (27, 'FafBeta', 'Beta'), (-5, 'wrong', 'x');
             INSERT INTO leaderboard (id, technical_name, initializer_id) VALUES (3, 'tmm_2v2', 1);",
        )
        .await;
        let data = store.game_data().await.unwrap();
        let mods: Vec<_> = data.featured_mods.iter().map(|(name, id)| (name.as_str(), *id)).collect();
        assert_eq!(mods, [("coop", 25), ("faf", 0), ("fafbeta", 27)]);
        assert_eq!(data.ranked_mods, ["one-a", "two"].map(str::to_owned).into());
        let boards: Vec<_> =
            data.leaderboards.iter().map(|board| (board.name.as_str(), board.initializer)).collect();
        assert_eq!(boards, [("global", None), ("ladder_1v1", None), ("tmm_2v2", Some(1))]);
    }

    #[tokio::test]
    async fn mods_have_their_names() {
        let (store, _folder) = new_store_for_games().await;
        let uids = ["ONE-A", "two", "unknown"].map(str::to_owned).to_vec();
        let names = store.mod_names(uids).await.unwrap();
        let names: Vec<_> = names.iter().map(|(uid, name)| (uid.as_str(), name.as_str())).collect();
        assert_eq!(names, [("ONE-A", "One"), ("two", "Two")]);
    }

    #[tokio::test]
    async fn a_lobby_begins_with_the_games_that_were_live() {
        let (store, _folder) = new_store_for_games().await;
        assert_eq!(store.beginning().await.unwrap().last_game, GameId(0));
        let mut season = Season::new();
        let games = [season.play(1), season.play(2), season.play(1)];
        for game in &games {
            stored(&store, game.id, launch(game)).await;
        }
        change(
            &store,
            "UPDATE live_game SET state = '{\"from\": \"the future\"}' WHERE game_id = 1;
             UPDATE live_game SET state = (SELECT state FROM live_game WHERE game_id = 3) WHERE game_id = 2;
             INSERT INTO game_stats (id, gameType, gameMod, host, gameName, validity)
             VALUES (70, 'SANDBOX', 0, 1, 'by another server', 0), (99999999999, 'SANDBOX', 0, 1, 'odd', 0);",
        )
        .await;
        let beginning = store.beginning().await.unwrap();
        assert_eq!(beginning.last_game, GameId(70));
        assert_eq!(beginning.games, [games[2].launched.game.clone()]);
        store.note_host(faf_protocol::PlayerId(1), GameId(71)).await.unwrap();
        assert_eq!(store.beginning().await.unwrap().last_game, GameId(71), "it was given out");
        // What cannot be read is left to the operator.
        assert_eq!(rows(&store, "SELECT game_id FROM live_game").await, ["1", "2", "3"]);
    }
}
